//! A report: one HTML page that holds everything it shows, so that it can be mailed, archived and read offline.
//!
//! Text is escaped; only figures are markup, and those are checked: no scripts, no references to anything outside the
//! page, and identifiers made unique so that two figures never share one.
//!
//! ```
//! use workbench::report::{Page, Section};
//! use workbench::table::Table;
//! let results = Table::new("Test part").text("model").number("MSE").row(["DeepDTA", "0.261"]);
//! let page = Page::new("Binding affinity", "Davis, cold drugs")
//!     .section(Section::new("Results").paragraph("Three seeds.").table(results));
//! assert!(page.render()?.contains("<caption>Test part</caption>"));
//! # Ok::<(), workbench::report::ReportError>(())
//! ```

mod svg;

use minijinja::value::Value;
use minijinja::{AutoEscape, Environment};

use crate::table::{Table, TableError};

const TEMPLATE: &str = include_str!("report/page.html");

/// A report that cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// A table with rows of different width.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A figure that cannot stand in the page.
    #[error("figure {caption:?} cannot stand in the report: {reason}")]
    Figure {
        /// Caption of the figure.
        caption: String,
        /// What is wrong with its SVG.
        reason: String,
    },
    /// The template failed.
    #[error("cannot fill the report's template: {0:#}")]
    Template(#[from] minijinja::Error),
}

/// A page: heading, table of contents, sections.
#[derive(Debug, Clone, Default)]
pub struct Page {
    title: String,
    subtitle: String,
    facts: Vec<(String, String)>,
    sections: Vec<Section>,
}

impl Page {
    /// A page without content.
    pub fn new(title: impl Into<String>, subtitle: impl Into<String>) -> Self {
        Self { title: title.into(), subtitle: subtitle.into(), ..Self::default() }
    }

    /// Adds a name and a value below the heading: data set, seed, date, commit.
    pub fn fact(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.facts.push((name.into(), value.into()));
        self
    }

    /// Adds a section.
    pub fn section(mut self, section: Section) -> Self {
        self.sections.push(section);
        self
    }

    /// The page as HTML.
    ///
    /// # Errors
    /// [`ReportError`] that names the table or figure that cannot be shown.
    pub fn render(&self) -> Result<String, ReportError> {
        let mut figures = 0;
        let mut sections = Vec::new();
        for (index, section) in self.sections.iter().enumerate() {
            let mut blocks = Vec::new();
            for block in &section.blocks {
                blocks.push(value(block, &mut figures)?);
            }
            sections.push(Value::from_pairs([
                ("id", Value::from(format!("section-{}", index + 1))),
                ("title", Value::from(section.title.as_str())),
                ("blocks", Value::from(blocks)),
            ]));
        }
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.add_template("page.html", TEMPLATE)?;
        let page = Value::from_pairs([
            ("title", Value::from(self.title.as_str())),
            ("subtitle", Value::from(self.subtitle.as_str())),
            ("facts", pairs(&self.facts)),
            ("sections", Value::from(sections)),
        ]);
        Ok(environment.get_template("page.html")?.render(page)?)
    }
}

/// One section of a page, with an entry in its table of contents.
#[derive(Debug, Clone, Default)]
pub struct Section {
    title: String,
    blocks: Vec<Block>,
}

#[derive(Debug, Clone)]
enum Block {
    Heading(String),
    Paragraph(String),
    Note { warning: bool, text: String },
    List(Vec<String>),
    Definitions(Vec<(String, String)>),
    Code(String),
    Table(Table),
    Figure { caption: String, svg: String },
}

impl Section {
    /// A section without content.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), blocks: Vec::new() }
    }

    /// Adds a heading within the section.
    pub fn heading(self, text: impl Into<String>) -> Self {
        self.block(Block::Heading(text.into()))
    }

    /// Adds a paragraph.
    pub fn paragraph(self, text: impl Into<String>) -> Self {
        self.block(Block::Paragraph(text.into()))
    }

    /// Adds a note, set off from the text.
    pub fn note(self, text: impl Into<String>) -> Self {
        self.block(Block::Note { warning: false, text: text.into() })
    }

    /// Adds a warning: something that limits what the numbers mean.
    pub fn warning(self, text: impl Into<String>) -> Self {
        self.block(Block::Note { warning: true, text: text.into() })
    }

    /// Adds a list with bullets.
    pub fn list<I>(self, items: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.block(Block::List(items.into_iter().map(Into::into).collect()))
    }

    /// Adds terms with their explanations or values.
    pub fn definitions<I, K, V>(self, items: I) -> Self
    where
        I: IntoIterator<Item = (K, V)>,
        K: Into<String>,
        V: Into<String>,
    {
        self.block(Block::Definitions(items.into_iter().map(|(term, text)| (term.into(), text.into())).collect()))
    }

    /// Adds text in a fixed-width font, line by line as it is: a command, a configuration.
    pub fn code(self, text: impl Into<String>) -> Self {
        self.block(Block::Code(text.into()))
    }

    /// Adds a table.
    pub fn table(self, table: Table) -> Self {
        self.block(Block::Table(table))
    }

    /// Adds a figure: SVG text, as [`crate::figure`] and the depiction of molecules make it.
    pub fn figure(self, caption: impl Into<String>, svg: impl Into<String>) -> Self {
        self.block(Block::Figure { caption: caption.into(), svg: svg.into() })
    }

    fn block(mut self, block: Block) -> Self {
        self.blocks.push(block);
        self
    }
}

/// The block as the template reads it; `figures` counts those of the page.
fn value(block: &Block, figures: &mut usize) -> Result<Value, ReportError> {
    let text = |kind: &str, text: &str| Value::from_pairs([("kind", Value::from(kind)), ("text", Value::from(text))]);
    Ok(match block {
        Block::Heading(content) => text("heading", content),
        Block::Paragraph(content) => text("paragraph", content),
        Block::Note { warning: false, text: content } => text("note", content),
        Block::Note { warning: true, text: content } => text("warning", content),
        Block::Code(content) => text("code", content),
        Block::List(items) => {
            let items: Vec<Value> = items.iter().map(Value::from).collect();
            Value::from_pairs([("kind", Value::from("list")), ("items", Value::from(items))])
        }
        Block::Definitions(items) => Value::from_pairs([("kind", Value::from("definitions")), ("items", pairs(items))]),
        Block::Table(table) => table_value(table)?,
        Block::Figure { caption, svg } => {
            *figures += 1;
            let prepared = svg::prepare(svg, &format!("f{figures}"), caption)
                .map_err(|reason| ReportError::Figure { caption: caption.clone(), reason })?;
            Value::from_pairs([
                ("kind", Value::from("figure")),
                ("number", Value::from(figures.to_string())),
                ("caption", Value::from(caption.as_str())),
                ("narrowest", Value::from(prepared.narrowest.to_string())),
                ("widest", Value::from(prepared.widest.to_string())),
                ("svg", Value::from_safe_string(prepared.markup)),
            ])
        }
    })
}

fn pairs(items: &[(String, String)]) -> Value {
    let items: Vec<Value> = items
        .iter()
        .map(|(term, text)| {
            Value::from_pairs([("term", Value::from(term.as_str())), ("text", Value::from(text.as_str()))])
        })
        .collect();
    Value::from(items)
}

fn table_value(table: &Table) -> Result<Value, ReportError> {
    table.check()?;
    let cell =
        |text: &str, numeric: bool| Value::from_pairs([("text", Value::from(text)), ("numeric", Value::from(numeric))]);
    let columns: Vec<Value> = table.columns.iter().map(|column| cell(&column.name, column.numeric)).collect();
    let rows: Vec<Value> = table
        .rows
        .iter()
        .map(|cells| {
            let cells = cells.iter().zip(&table.columns).map(|(text, column)| cell(text, column.numeric));
            Value::from(cells.collect::<Vec<Value>>())
        })
        .collect();
    Ok(Value::from_pairs([
        ("kind", Value::from("table")),
        ("caption", Value::from(table.caption.as_str())),
        ("columns", Value::from(columns)),
        ("rows", Value::from(rows)),
    ]))
}
