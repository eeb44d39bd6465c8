//! Labelled sets: what is refused, and what a selection keeps.

use super::*;

fn set() -> SequenceSet {
    SequenceSet {
        names: ["a", "b", "c"].map(str::to_owned).to_vec(),
        sequences: vec![b"ACGT".to_vec(), b"NNR".to_vec(), b"T".to_vec()],
        loci: vec![None, Some(Locus::new("chr1", 5, 8).unwrap()), None],
        tasks: vec!["bound".to_owned(), "open".to_owned()],
        labels: Labels::Binary,
        targets: vec![0.0, 1.0, f32::NAN, 0.0, 1.0, 1.0],
        groups: Some(vec![4, 4, 9]),
    }
}

#[test]
fn rows_are_selected_with_all_their_columns() {
    let chosen = set().select(&[2, 1]);
    chosen.check().unwrap();
    assert_eq!((chosen.len(), chosen.longest()), (2, 3));
    assert_eq!(chosen.names, ["c", "b"]);
    assert_eq!(chosen.groups, Some(vec![9, 4]));
    assert!(chosen.loci[1].is_some());
    assert_eq!((chosen.target(0, 0), chosen.target(1, 0), chosen.target(1, 1)), (Some(1.0), None, Some(0.0)));
    assert!(set().select(&[]).is_empty());
}

#[test]
fn sets_are_joined_and_their_groups_kept_apart() {
    let mut joined = set();
    joined.append(SequenceSet { groups: None, ..set() }).unwrap();
    joined.check().unwrap();
    assert_eq!(joined.groups, Some(vec![4, 4, 9, 10, 11, 12]));
    let one_task = SequenceSet { tasks: vec!["x".to_owned()], ..set() };
    assert_eq!(joined.append(one_task).unwrap_err().to_string(), "1 tasks, but 2 are due for 3 rows");
}

/// A change to a set, and what is then wrong with it.
type Case = (fn(&mut SequenceSet), &'static str);

#[test]
fn mistakes_name_the_row() {
    let message = |change: fn(&mut SequenceSet)| {
        let mut set = set();
        set.check().unwrap();
        change(&mut set);
        set.check().unwrap_err().to_string()
    };
    let cases: [Case; 10] = [
        (|set| *set = SequenceSet::default(), "the set has no rows"),
        (|set| set.tasks.clear(), "the set has no tasks"),
        (|set| set.loci.truncate(1), "1 loci, but 3 are due for 3 rows"),
        (|set| set.targets.truncate(5), "5 targets, but 6 are due for 3 rows"),
        (|set| set.groups = Some(vec![1]), "1 groups, but 3 are due for 3 rows"),
        (|set| set.sequences[1][2] = b'-', "row 2, b: '-' at base 3 is no nucleotide"),
        (|set| set.sequences[2][0] = b't', "row 3, c: letters must be capitals, T for U"),
        (|set| set.sequences[0].clear(), "row 1, a: no bases"),
        (|set| set.targets[3] = 0.5, "row 2, b, task open: 0.5 is no target; 0 or 1"),
        (|set| set.labels = Labels::Classes(vec!["x".to_owned()]), "2 tasks with classes; one is supported"),
    ];
    for (change, expected) in cases {
        let found = message(change);
        assert!(found.starts_with(expected), "{found}");
    }
}

#[test]
fn classes_and_values_have_their_own_targets() {
    let classes = Labels::Classes(vec!["EI".to_owned(), "IE".to_owned()]);
    assert!(classes.allow(1.0) && classes.allow(f32::NAN));
    assert!(!classes.allow(2.0) && !classes.allow(0.5) && !classes.allow(-1.0));
    assert!(Labels::Values.allow(-7.5) && !Labels::Values.allow(f32::INFINITY));
}

#[test]
fn expression_tables() {
    let mut set = ExpressionSet {
        samples: ["s1", "s2"].map(str::to_owned).to_vec(),
        genes: ["g1", "g2", "g3"].map(str::to_owned).to_vec(),
        values: vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0],
        classes: ["x", "y"].map(str::to_owned).to_vec(),
        labels: vec![1, 0],
    };
    set.check().unwrap();
    let chosen = set.select(&[1, 1]);
    assert_eq!((chosen.row(0), chosen.labels.as_slice()), (&[3.0, 4.0, 5.0][..], &[0, 0][..]));
    set.labels[1] = 2;
    assert!(set.check().unwrap_err().to_string().starts_with("row 2, s2, task class: 2 is no target; a class from 0"));
    set.labels[1] = 0;
    set.values[4] = f32::NAN;
    assert!(set.check().unwrap_err().to_string().starts_with("row 2, s2, task g2: NaN is no target"));
    set.labels.clear();
    assert_eq!(set.check().unwrap_err().to_string(), "0 labels, but 2 are due for 2 rows");
}

#[test]
fn genes_and_classes_of_samples_are_found_by_name() {
    let set = ExpressionSet {
        samples: ["s", "t"].map(str::to_owned).to_vec(),
        genes: ["a", "b"].map(str::to_owned).to_vec(),
        values: vec![1.0, 2.0, 3.0, 4.0],
        classes: ["x", "y"].map(str::to_owned).to_vec(),
        labels: vec![1, 0],
    };
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
    let turned = set.clone().with_genes(&names(&["b", "a"])).unwrap();
    assert_eq!((turned.row(0), turned.genes.as_slice()), (&[2.0, 1.0][..], &names(&["b", "a"])[..]));
    assert_eq!(set.clone().with_genes(&names(&["c"])).unwrap_err(), "c");
    let known = set.clone().with_classes(&names(&["w", "x", "y"])).unwrap();
    assert_eq!((known.labels.as_slice(), known.classes.len()), (&[2, 1][..], 3));
    assert_eq!(set.with_classes(&names(&["w", "x"])).unwrap_err(), "y");
}
