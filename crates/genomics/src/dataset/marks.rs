//! Histone marks around genes, with what is to be learnt of each.

use super::DatasetError;
use crate::coverage::{Counting, MarkMatrix};
use crate::locus::Locus;

/// Counts of histone marks in bins around the start of genes, with a label for each gene, as `DeepChrome` reads them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MarkSet {
    /// Names of the genes.
    pub genes: Vec<String>,
    /// Names of the marks.
    pub marks: Vec<String>,
    /// Bins of each gene.
    pub bins: usize,
    /// `[genes, marks, bins]`, row-major.
    pub values: Vec<f32>,
    /// 1 for high expression, 0 for low; not a number where it is not known.
    pub labels: Vec<f32>,
    /// The first transcribed base of each gene, on its strand, where that is known.
    pub starts: Option<Vec<Locus>>,
    /// How reads became the counts, where they were counted here.
    pub counting: Option<Counting>,
}

impl MarkSet {
    /// Genes from the reads around their starts, as [`marks`](crate::coverage::marks) counts them.
    ///
    /// # Errors
    /// [`DatasetError::Length`] unless there are as many names and labels as genes, and names of marks as files.
    pub fn from_reads(
        matrix: MarkMatrix,
        genes: Vec<String>,
        marks: Vec<String>,
        labels: Vec<f32>,
    ) -> Result<Self, DatasetError> {
        let (rows, files) = (matrix.places, matrix.marks);
        for (what, found, expected) in
            [("genes", genes.len(), rows), ("labels", labels.len(), rows), ("marks", marks.len(), files)]
        {
            if found != expected {
                return Err(DatasetError::Length { what, found, expected, rows });
            }
        }
        Ok(Self { genes, marks, bins: matrix.bins, values: matrix.values, labels, ..Self::default() })
    }

    /// The same with where the genes start, and how the reads around there were counted.
    ///
    /// # Errors
    /// [`DatasetError::Length`] unless there are as many starts as genes.
    pub fn counted(self, starts: Vec<Locus>, counting: Counting) -> Result<Self, DatasetError> {
        let (found, rows) = (starts.len(), self.len());
        if found != rows {
            return Err(DatasetError::Length { what: "starts", found, expected: rows, rows });
        }
        Ok(Self { starts: Some(starts), counting: Some(counting), ..self })
    }

    /// Number of genes.
    pub fn len(&self) -> usize {
        self.genes.len()
    }

    /// Whether there is no gene.
    pub fn is_empty(&self) -> bool {
        self.genes.is_empty()
    }
}

/// High expression or low, from levels: 1 above the median of those that are known, otherwise 0 (Singh et al. 2016,
/// Bioinformatics 32:i639, section 3.1). Levels that are all 0 or 1 say so themselves; one that is not a number stays
/// so.
pub fn high(levels: &[f32]) -> Vec<f32> {
    let mut known: Vec<f32> = levels.iter().copied().filter(|level| !level.is_nan()).collect();
    if known.is_empty() || known.iter().all(|level| *level == 0.0 || *level == 1.0) {
        return levels.to_vec();
    }
    known.sort_unstable_by(f32::total_cmp);
    let median = f32::midpoint(known[(known.len() - 1) / 2], known[known.len() / 2]);
    let label = |&level: &f32| if level.is_nan() { level } else { f32::from(u8::from(level > median)) };
    levels.iter().map(label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_divided_at_their_median() {
        // by hand: the median of 1, 2, 5, 9 is 3.5, that of 1, 2, 5 is 2
        assert_eq!(high(&[9.0, 1.0, 2.0, 5.0]), [1.0, 0.0, 0.0, 1.0]);
        let found = high(&[5.0, f32::NAN, 1.0, 2.0]);
        assert!(found[1].is_nan() && [found[0], found[2], found[3]] == [1.0, 0.0, 0.0], "{found:?}");
        // labels stay what they are, whatever their median
        assert_eq!(high(&[1.0, 1.0, 1.0, 0.0]), [1.0, 1.0, 1.0, 0.0]);
        assert!(high(&[f32::NAN]).iter().all(|label| label.is_nan()) && high(&[]).is_empty());
    }

    #[test]
    fn starts_are_as_many_as_genes() {
        let set = MarkSet { genes: vec!["a".to_owned(), "b".to_owned()], ..MarkSet::default() };
        let start = Locus::new("chr1", 3, 4).unwrap();
        let error = set.clone().counted(vec![start.clone()], Counting::default()).unwrap_err().to_string();
        assert_eq!(error, "1 starts, but 2 are due for 2 rows");
        let found = set.counted(vec![start.clone(), start], Counting::default()).unwrap();
        assert!(found.counting.is_some_and(|counting| counting.layout.bins == 100) && found.starts.is_some());
    }
}
