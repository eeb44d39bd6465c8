//! What the lines of a GFF3 or GTF file make together.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::{Feature, GffReader};
use crate::io::IoError;
use crate::locus::{Locus, Strand};

/// A transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript {
    /// Identifier; that of the gene, if the file has its parts without a transcript between.
    pub id: String,
    /// Where it lies.
    pub locus: Locus,
    /// Exons in the order of the reference, 0-based and half-open.
    pub exons: Vec<Range<i64>>,
    /// Coding parts in the order of the reference; GTF files leave the stop codon out of them, GFF3 files do not.
    pub coding: Vec<Range<i64>>,
}

/// A gene.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gene {
    /// Identifier.
    pub id: String,
    /// Name that is shown; the identifier if there is no other.
    pub name: String,
    /// Where it lies; if the file has no line for it, where its transcripts do.
    pub locus: Locus,
    /// Type of its line: `gene`, `ncRNA_gene`, `pseudogene`, …; `transcript`, `tRNA` and so on if it has no line of its
    /// own.
    pub kind: String,
    /// Such as `protein_coding`, where the file says.
    pub biotype: Option<String>,
    /// In file order.
    pub transcripts: Vec<Transcript>,
}

impl Gene {
    /// Position (0-based) of the first transcribed base: the start of a gene on the forward strand, the last base of
    /// one on the reverse strand.
    pub fn tss(&self) -> i64 {
        self.locus.five_prime()
    }

    /// The window of `upstream` bases before [`Gene::tss`] and `downstream` from it on, on the gene's strand. It may
    /// leave the contig.
    pub fn promoter(&self, upstream: usize, downstream: usize) -> Locus {
        promoter(&self.locus, upstream, downstream)
    }
}

impl Transcript {
    /// As [`Gene::tss`].
    pub fn tss(&self) -> i64 {
        self.locus.five_prime()
    }

    /// As [`Gene::promoter`].
    pub fn promoter(&self, upstream: usize, downstream: usize) -> Locus {
        promoter(&self.locus, upstream, downstream)
    }
}

fn promoter(locus: &Locus, upstream: usize, downstream: usize) -> Locus {
    // An empty interval before the first base, in the direction of the strand.
    let before = match locus.strand {
        Strand::Forward => locus.start,
        Strand::Reverse => locus.end,
    };
    Locus { start: before, end: before, ..locus.clone() }.extended(upstream, downstream)
}

/// The genes of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Annotation {
    /// In file order.
    pub genes: Vec<Gene>,
}

impl Annotation {
    /// All transcripts with their genes.
    pub fn transcripts(&self) -> impl Iterator<Item = (&Gene, &Transcript)> {
        self.genes.iter().flat_map(|gene| gene.transcripts.iter().map(move |transcript| (gene, transcript)))
    }

    /// Makes the genes of features, whatever their order.
    ///
    /// # Errors
    /// The first error among the features.
    pub fn from_features(features: impl IntoIterator<Item = Result<Feature, IoError>>) -> Result<Self, IoError> {
        let mut nodes = Nodes::default();
        for feature in features {
            let feature = feature?;
            if feature.gtf { nodes.add_gtf(&feature) } else { nodes.add_gff(&feature) }
        }
        Ok(nodes.annotation())
    }
}

/// Reads the genes of a GFF3 or GTF file, plain or gzip.
///
/// # Errors
/// [`IoError`] if the file cannot be read or has no gene, and for the first line that cannot be used.
pub fn read_gff(path: &Path) -> Result<Annotation, IoError> {
    let annotation = Annotation::from_features(GffReader::open(path)?)?;
    let none = annotation.genes.is_empty();
    if none { Err(IoError::Empty { path: path.to_path_buf(), what: "genes" }) } else { Ok(annotation) }
}

/// A gene or a transcript, or what others say of one whose line has not come.
#[derive(Debug, Default)]
struct Node {
    id: String,
    /// Of its own line.
    locus: Option<Locus>,
    /// Around its parts.
    around: Option<Locus>,
    kind: String,
    name: Option<String>,
    biotype: Option<String>,
    parent: Option<usize>,
    exons: Vec<Range<i64>>,
    coding: Vec<Range<i64>>,
}

#[derive(Debug, Default)]
struct Nodes {
    nodes: Vec<Node>,
    /// By contig, since both copies of what X and Y share may have one name.
    places: HashMap<Arc<str>, HashMap<String, usize>>,
}

fn is_gene(kind: &str) -> bool {
    kind == "gene" || kind == "pseudogene" || kind.ends_with("_gene")
}

fn is_part(kind: &str) -> bool {
    is_exon(kind)
        || kind == "CDS"
        || kind.ends_with("_codon")
        || kind.ends_with("UTR")
        || ["intron", "Selenocysteine", "protein"].contains(&kind)
}

fn is_exon(kind: &str) -> bool {
    kind == "exon" || kind.ends_with("_exon")
}

impl Nodes {
    fn place(&mut self, contig: &Arc<str>, key: &str, id: &str) -> usize {
        let places = self.places.entry(Arc::clone(contig)).or_default();
        if let Some(&place) = places.get(key) {
            return place;
        }
        places.insert(key.to_owned(), self.nodes.len());
        self.nodes.push(Node { id: id.to_owned(), ..Node::default() });
        self.nodes.len() - 1
    }

    /// Takes what a line of its own says about a gene or a transcript.
    fn define(&mut self, place: usize, feature: &Feature, name: Option<&str>) {
        let node = &mut self.nodes[place];
        node.locus.get_or_insert_with(|| feature.locus.clone());
        feature.kind.clone_into(&mut node.kind);
        node.name = name.filter(|name| !name.is_empty()).map(str::to_owned);
        let biotype = ["gene_biotype", "gene_type", "biotype"].iter().find_map(|key| feature.get(key));
        node.biotype = biotype.map(str::to_owned);
    }

    fn add_part(&mut self, place: usize, feature: &Feature) {
        let node = &mut self.nodes[place];
        let range = feature.locus.start..feature.locus.end;
        if is_exon(&feature.kind) {
            node.exons.push(range);
        } else if feature.kind == "CDS" {
            node.coding.push(range);
        }
        widen(&mut node.around, &feature.locus);
    }

    fn add_gtf(&mut self, feature: &Feature) {
        // Without the name of a gene, as some lines of NCBI are, there is nothing to hang it on.
        let Some(gene) = feature.get("gene_id").filter(|id| !id.is_empty()) else { return };
        let contig = &feature.locus.contig;
        let gene_place = self.place(contig, &format!("gene {gene}"), gene);
        if is_gene(&feature.kind) {
            let name = feature.get("gene_name").or_else(|| feature.get("gene"));
            self.define(gene_place, feature, name);
            return;
        }
        let part = is_part(&feature.kind);
        let Some(id) = feature.get("transcript_id").filter(|id| !id.is_empty()) else {
            if part {
                self.add_part(gene_place, feature);
            }
            return;
        };
        let transcript = self.place(contig, &format!("transcript {id}"), id);
        self.nodes[transcript].parent = Some(gene_place);
        if part {
            self.add_part(transcript, feature);
        } else {
            self.define(transcript, feature, None);
        }
        // Only what the gene's own line would say may be told by others.
        let node = &mut self.nodes[gene_place];
        if node.name.is_none() {
            node.name = feature.get("gene_name").filter(|name| !name.is_empty()).map(str::to_owned);
        }
        if node.biotype.is_none() {
            node.biotype = feature.get("gene_biotype").or_else(|| feature.get("gene_type")).map(str::to_owned);
        }
    }

    fn add_gff(&mut self, feature: &Feature) {
        let contig = &feature.locus.contig;
        let parents = feature.get("Parent").unwrap_or_default();
        let parents: Vec<usize> =
            parents.split(',').filter(|id| !id.is_empty()).map(|id| self.place(contig, id, id)).collect();
        if is_part(&feature.kind) {
            for place in parents {
                self.add_part(place, feature);
            }
            return;
        }
        let Some(id) = feature.get("ID") else { return };
        let place = self.place(contig, id, id);
        self.define(place, feature, feature.get("Name"));
        self.nodes[place].parent = parents.first().copied().filter(|&parent| parent != place);
    }

    fn annotation(self) -> Annotation {
        let nodes = self.nodes;
        // A gene is what a line calls one, or what only transcripts tell of, or a transcript with exons and no gene.
        let mut places: HashMap<usize, usize> = HashMap::new();
        let mut genes: Vec<(usize, Vec<usize>)> = Vec::new();
        let mut gene_of = |place: usize, genes: &mut Vec<(usize, Vec<usize>)>| {
            *places.entry(place).or_insert_with(|| {
                genes.push((place, Vec::new()));
                genes.len() - 1
            })
        };
        for (place, node) in nodes.iter().enumerate() {
            let parent = node.parent.filter(|&parent| is_gene(&nodes[parent].kind) || nodes[parent].kind.is_empty());
            let has_parts = !node.exons.is_empty() || !node.coding.is_empty();
            if is_gene(&node.kind) {
                gene_of(place, &mut genes);
            } else if let Some(parent) = parent.filter(|_| node.locus.is_some() || has_parts) {
                let gene = gene_of(parent, &mut genes);
                genes[gene].1.push(place);
            } else if has_parts {
                gene_of(place, &mut genes);
            }
        }
        let genes = genes.into_iter().filter_map(|(place, transcripts)| gene(&nodes, place, &transcripts));
        Annotation { genes: genes.collect() }
    }
}

fn gene(nodes: &[Node], place: usize, transcripts: &[usize]) -> Option<Gene> {
    let node = &nodes[place];
    let mut transcripts: Vec<Transcript> = transcripts.iter().filter_map(|&place| transcript(&nodes[place])).collect();
    if transcripts.is_empty() && !(node.exons.is_empty() && node.coding.is_empty()) {
        transcripts.extend(transcript(node));
    }
    let mut around = node.around.clone();
    for transcript in &transcripts {
        widen(&mut around, &transcript.locus);
    }
    Some(Gene {
        id: node.id.clone(),
        name: node.name.clone().unwrap_or_else(|| node.id.clone()),
        locus: node.locus.clone().or(around)?,
        kind: if node.kind.is_empty() { "transcript".to_owned() } else { node.kind.clone() },
        biotype: node.biotype.clone(),
        transcripts,
    })
}

fn transcript(node: &Node) -> Option<Transcript> {
    let sorted = |ranges: &[Range<i64>]| {
        let mut ranges = ranges.to_vec();
        ranges.sort_unstable_by_key(|range| (range.start, range.end));
        ranges
    };
    let locus = node.locus.clone().or_else(|| node.around.clone())?;
    Some(Transcript { id: node.id.clone(), locus, exons: sorted(&node.exons), coding: sorted(&node.coding) })
}

fn widen(around: &mut Option<Locus>, locus: &Locus) {
    match around {
        Some(around) => {
            around.start = around.start.min(locus.start);
            around.end = around.end.max(locus.end);
        }
        None => *around = Some(locus.clone()),
    }
}
