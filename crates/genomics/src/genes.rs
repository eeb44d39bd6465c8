//! Genes by their starts of transcription, with features of their messengers and their expression.

use crate::locus::Locus;

/// What is added to lengths and levels in front of a logarithm, so that zero has one: the constant of Agarwal and
/// Shendure 2020 (Cell Reports 31:107663).
pub const PSEUDOCOUNT: f64 = 0.1;

/// Genes that make no table.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GeneError {
    /// There are no genes.
    #[error("there are no genes; give at least one")]
    Empty,
    /// A column of another length.
    #[error("{found} {what} for {genes} genes; {expected} are due")]
    Length {
        /// The column.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The length that fits.
        expected: usize,
        /// Number of genes.
        genes: usize,
    },
    /// A number that is not finite, or has no logarithm.
    #[error("gene {gene}: {what} is {value}; {due}")]
    Value {
        /// Name of the gene.
        gene: String,
        /// What the number is.
        what: String,
        /// The number.
        value: f32,
        /// What would do.
        due: &'static str,
    },
}

/// Genes with features and expression.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GeneTable {
    /// Names of the genes.
    pub names: Vec<String>,
    /// The first transcribed base of each gene, on its strand.
    pub starts: Vec<Locus>,
    /// Names of the features.
    pub features: Vec<String>,
    /// `[genes, features]`, row-major.
    pub values: Vec<f32>,
    /// What the levels are of: a tissue, a cell, `expression`.
    pub tasks: Vec<String>,
    /// `[genes, tasks]`, row-major; not a number where the level is not known.
    pub levels: Vec<f32>,
    /// Number of the family of each gene, where families are known.
    pub families: Option<Vec<u64>>,
}

impl GeneTable {
    /// Number of genes.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is no gene.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// # Errors
    /// [`GeneError`] with the first thing that does not fit.
    pub fn check(&self) -> Result<(), GeneError> {
        let (genes, features, tasks) = (self.len(), self.features.len(), self.tasks.len());
        if genes == 0 {
            return Err(GeneError::Empty);
        }
        let families = self.families.as_ref().map_or(genes, Vec::len);
        for (what, found, expected) in [
            ("starts", self.starts.len(), genes),
            ("features", self.values.len(), genes * features),
            ("levels", self.levels.len(), genes * tasks),
            ("families", families, genes),
        ] {
            if found != expected {
                return Err(GeneError::Length { what, found, expected, genes });
            }
        }
        if let Some(place) = self.values.iter().position(|value| !value.is_finite()) {
            let (gene, what) = (self.names[place / features].clone(), self.features[place % features].clone());
            return Err(GeneError::Value { gene, what, value: self.values[place], due: "a finite number is due" });
        }
        match self.levels.iter().position(|level| level.is_infinite()) {
            Some(place) => {
                let (gene, what) = (self.names[place / tasks].clone(), self.tasks[place % tasks].clone());
                Err(GeneError::Value { gene, what, value: self.levels[place], due: "a finite number is due" })
            }
            None => Ok(()),
        }
    }

    /// The same with log₁₀(x + `pseudocount`) for the features whose names hold one of `words`, in any case, and, if
    /// `levels`, for the levels, as the authors of Xpresso have lengths, densities and abundances with [`PSEUDOCOUNT`].
    ///
    /// # Errors
    /// [`GeneError::Value`] for a number below zero.
    pub fn with_logarithms(mut self, words: &[String], levels: bool, pseudocount: f64) -> Result<Self, GeneError> {
        let pseudocount = pseudocount as f32;
        let due = "at least 0 is due where a logarithm is taken";
        let features = self.features.len();
        let taken = |name: &String| {
            let name = name.to_lowercase();
            words.iter().any(|word| !word.is_empty() && name.contains(&word.to_lowercase()))
        };
        let taken: Vec<bool> = self.features.iter().map(taken).collect();
        for (place, value) in self.values.iter_mut().enumerate().filter(|(place, _)| taken[place % features]) {
            if *value < 0.0 {
                let (gene, what) = (self.names[place / features].clone(), self.features[place % features].clone());
                return Err(GeneError::Value { gene, what, value: *value, due });
            }
            *value = (*value + pseudocount).log10();
        }
        let tasks = self.tasks.len();
        for (place, level) in self.levels.iter_mut().enumerate().filter(|_| levels) {
            if *level < 0.0 {
                let (gene, what) = (self.names[place / tasks].clone(), self.tasks[place % tasks].clone());
                return Err(GeneError::Value { gene, what, value: *level, due });
            }
            *level = (*level + pseudocount).log10();
        }
        Ok(self)
    }

    /// The same with all numbers of a gene as its levels: the known ones first, then what else there is.
    pub fn into_levels(self) -> Self {
        let (features, tasks) = (self.features.len(), self.tasks.len());
        let known = |task: &usize| (0..self.len()).any(|gene| !self.levels[gene * tasks + task].is_nan());
        let known: Vec<usize> = (0..tasks).filter(known).collect();
        let of_gene = |gene: usize| {
            let levels = known.iter().map(|task| self.levels[gene * tasks + task]);
            levels.chain(self.values[gene * features..][..features].iter().copied()).collect::<Vec<f32>>()
        };
        let levels = (0..self.len()).flat_map(of_gene).collect();
        let tasks = known.iter().map(|&task| self.tasks[task].clone()).chain(self.features.clone()).collect();
        Self { features: Vec::new(), values: Vec::new(), tasks, levels, ..self }
    }

    /// The same with the features of these names, in this order.
    ///
    /// # Errors
    /// The first name that is no feature.
    pub fn with_features(mut self, names: &[String]) -> Result<Self, String> {
        let place = |name: &String| self.features.iter().position(|known| known == name).ok_or_else(|| name.clone());
        let places = names.iter().map(place).collect::<Result<Vec<usize>, String>>()?;
        let width = self.features.len();
        self.values = (0..self.len())
            .flat_map(|gene| places.iter().map(move |at| gene * width + at))
            .map(|at| self.values[at])
            .collect();
        self.features = names.to_vec();
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> GeneTable {
        GeneTable {
            names: ["a", "b"].map(str::to_owned).to_vec(),
            starts: [10, 20].map(|at| Locus::new("chr1", at, at + 1).unwrap()).to_vec(),
            features: ["CDS length", "GC"].map(str::to_owned).to_vec(),
            values: vec![99.9, 0.5, 0.0, 0.25],
            tasks: vec!["liver".to_owned()],
            levels: vec![9.9, f32::NAN],
            families: None,
        }
    }

    #[test]
    fn logarithms_are_taken_of_lengths_and_levels() {
        let found = table().with_logarithms(&["LENGTH".to_owned()], true, PSEUDOCOUNT).unwrap();
        // log10 of 100 and of 0.1; 1e-6: single precision
        for (found, expected) in found.values.iter().zip([2.0, 0.5, -1.0, 0.25]) {
            assert!((found - expected).abs() < 1e-6, "{found}");
        }
        assert!((found.levels[0] - 1.0).abs() < 1e-6 && found.levels[1].is_nan());
        assert_eq!(table().with_logarithms(&[], false, PSEUDOCOUNT).unwrap().values, table().values);
        let negative = GeneTable { values: vec![1.0, 0.5, -3.0, 0.25], ..table() };
        let error = negative.with_logarithms(&["length".to_owned()], true, PSEUDOCOUNT).unwrap_err().to_string();
        assert_eq!(error, "gene b: CDS length is -3; at least 0 is due where a logarithm is taken");
    }

    #[test]
    fn features_are_found_by_name() {
        let found = table().with_features(&["GC".to_owned()]).unwrap();
        assert_eq!((found.values, found.features.len()), (vec![0.5, 0.25], 1));
        assert_eq!(table().with_features(&["UTR".to_owned()]).unwrap_err(), "UTR");
    }

    #[test]
    fn all_numbers_become_levels() {
        let found = table().into_levels();
        assert_eq!(found.tasks, ["liver", "CDS length", "GC"]);
        assert!(found.levels[..3] == [9.9, 99.9, 0.5] && found.levels[3].is_nan() && found.levels[4..] == [0.0, 0.25]);
        let unknown = GeneTable { levels: vec![f32::NAN; 2], ..table() }.into_levels();
        assert_eq!((unknown.tasks.len(), unknown.levels), (2, vec![99.9, 0.5, 0.0, 0.25]));
        assert!(found.check() == Ok(()) && found.features.is_empty());
    }

    #[test]
    fn columns_fit_together() {
        assert_eq!(table().check(), Ok(()));
        assert_eq!(GeneTable::default().check(), Err(GeneError::Empty));
        let short = GeneTable { levels: vec![1.0], ..table() };
        assert_eq!(short.check().unwrap_err().to_string(), "1 levels for 2 genes; 2 are due");
        let hole = GeneTable { values: vec![1.0, f32::NAN, 1.0, 1.0], ..table() };
        assert_eq!(hole.check().unwrap_err().to_string(), "gene a: GC is NaN; a finite number is due");
    }
}
