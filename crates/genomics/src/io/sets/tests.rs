//! Tests of `io::sets`.

use std::fs;
use std::path::PathBuf;

use super::*;

/// A file of this text in a folder that lasts as long as the first value.
fn file(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    (folder, path)
}

/// The error that reading this text gives, behind the folder.
fn refusal<T>(text: &str, read: impl Fn(&Path) -> Result<T, IoError>) -> String {
    let (folder, path) = file("a.txt", text);
    let message = read(&path).err().unwrap().to_string();
    message.replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn tables_with_usual_columns() {
    let (_folder, path) = file("a.csv", "sequence,label\nacgu,1\nNNR,0\nT,\n");
    let set = labelled_csv(&path).unwrap();
    assert_eq!((set.len(), &set.labels, set.names[1].as_str()), (3, &Labels::Binary, "line 3"));
    assert_eq!(
        (set.sequences[0].as_slice(), set.target(0, 0), set.target(2, 0)),
        (b"ACGT".as_slice(), Some(1.0), None)
    );
}

#[test]
fn tables_with_named_columns_tasks_and_groups() {
    let (_folder, path) =
        file("a.tsv", "dna\tcell A\tcell B\tfamily\tID\nAC\t0.5\t-1\tf1\tx\nGT\t2\tNA\tf2\ty\nG\t3\t4\tf1\tz\n");
    let columns = TableColumns {
        sequence: Some("DNA".to_owned()),
        labels: vec!["cell B".to_owned(), "cell A".to_owned()],
        group: Some("family".to_owned()),
        ..TableColumns::default()
    };
    let set = table(&path, &columns).unwrap();
    assert_eq!(
        (set.tasks.as_slice(), &set.labels),
        (["cell B".to_owned(), "cell A".to_owned()].as_slice(), &Labels::Values)
    );
    assert_eq!((set.target(0, 0), set.target(0, 1), set.target(1, 0)), (Some(-1.0), Some(0.5), None));
    assert_eq!((set.names.concat().as_str(), set.groups), ("xyz", Some(vec![0, 1, 0])));
}

#[test]
fn classes_by_name_or_as_told() {
    let (_folder, path) = file("a.csv", "seq;class\nA;N\nC;EI\nG;EI\n");
    let classes = |names: &[&str]| Labels::Classes(names.iter().map(|&name| name.to_owned()).collect());
    let set = labelled_csv(&path).unwrap();
    assert_eq!((&set.labels, set.targets.as_slice()), (&classes(&["EI", "N"]), [1.0, 0.0, 0.0].as_slice()));
    let told = TableColumns { kind: Some(classes(&["N", "IE", "EI"])), ..TableColumns::default() };
    assert_eq!(table(&path, &told).unwrap().targets, [0.0, 2.0, 2.0]);
    let digits = refusal("seq,y\nA,0\nC,1\n", |path| table(path, &told));
    assert_eq!(digits, "a.txt, line 2: line 2: y \"0\" is none of N, IE, EI");
    let (_folder, path) = file("b.csv", "seq,y\nA,0\nC,1\n");
    let columns = TableColumns { kind: Some(Labels::Classes(Vec::new())), ..TableColumns::default() };
    assert_eq!(table(&path, &columns).unwrap().labels, classes(&["0", "1"]));
}

#[test]
fn refusals_of_tables_name_line_and_column() {
    for (text, expected) in [
        ("", "a.txt has no rows"),
        ("sequence,label\n", "a.txt has no rows"),
        ("bases,label\nA,1\n", "a.txt has no column sequence or seq; it has: bases, label; say which one to use"),
        ("seq,x\nA,1\n", "a.txt has no column label or class or target or bound or y; it has: seq, x"),
        ("seq,label\nA,1\nA-C,1\n", "a.txt, line 3: line 3: '-' at base 2 is no nucleotide"),
        ("seq,label\nA,1\n,1\n", "a.txt: row 2, line 3: no bases"),
        ("seq,label\nA,1\nC\n", "a.txt, line 3: 1 columns where line 1 has 2"),
        ("seq,label\nA,\"1\n", "a.txt, line 2: a quoted field is not closed on its line"),
        ("seq,label\nA,inf\n", "a.txt, line 2: line 2: label inf is not finite"),
    ] {
        let message = refusal(text, labelled_csv);
        assert!(message.starts_with(expected), "{message}");
    }
    let binary = TableColumns { kind: Some(Labels::Binary), ..TableColumns::default() };
    assert!(
        refusal("seq,y\nA,0\nC,2\n", |path| table(path, &binary)).ends_with("line 3: line 3: y 2 is neither 0 nor 1")
    );
    let two = TableColumns { labels: vec!["a".to_owned(), "b".to_owned()], ..TableColumns::default() };
    assert!(refusal("seq,a,b\nA,0,x\n", |path| table(path, &two)).ends_with("line 2: line 2: b \"x\" is no number"));
}

#[test]
fn classes_in_headers_and_files() {
    let (_folder, path) = file("a.fa", ">chr1,-,10,13; class:1\nACGT\n> x class:0 more\nTT\n");
    let set = class_fasta(&path).unwrap();
    assert_eq!((set.targets.as_slice(), set.names[1].as_str()), ([1.0, 0.0].as_slice(), "x"));
    assert_eq!(set.loci[0].as_ref().unwrap().to_string(), "chr1:11-14(-)");
    assert!(refusal(">a\nA\n", class_fasta).contains("line 1: no class: in the header \"a\""));
    let (_folder, other) = file("b.fa", ">CHR2_5_7\r\nNN\r\n");
    let both = two_fastas(&path, &other).unwrap();
    assert_eq!((both.targets.as_slice(), both.loci[2].is_some()), ([1.0, 1.0, 0.0].as_slice(), true));
    assert!(refusal("", |path| fasta(path, true)).contains("a.txt has no rows"));
}

#[test]
fn tables_of_the_uci_repository() {
    let (_folder, path) = file("a.data", "+,S10,\t\ttactAg\n-,867,\tacgtta\n");
    let set = uci_promoters(&path).unwrap();
    assert_eq!((set.sequences[0].as_slice(), set.targets.as_slice()), (b"TACTAG".as_slice(), [1.0, 0.0].as_slice()));
    let (_folder, path) = file("a.data", "N,  A-1,   ACD\nEI,  B,  GGG\n");
    assert_eq!(uci_splice(&path).unwrap().targets, [2.0, 0.0]);
    assert!(refusal("+,x\n", uci_promoters).ends_with("line 1: 2 columns where class, name and sequence are due"));
    assert!(refusal("?,x,A\n", uci_promoters).ends_with("line 1: x: class \"?\" is no number"));
    assert!(refusal("IX,x,A\n", uci_splice).ends_with("line 1: x: class \"IX\" is none of EI, IE, N"));
}

#[test]
fn expression_tables_of_every_layout() {
    let (_folder, path) = file("a.csv", "cell,label,G1,G2\nc1,T cell,0,1.5\nc2,B cell,2,-1\n");
    let layout = ExpressionLayout { label: LabelColumn::Named("label".to_owned()), ..ExpressionLayout::default() };
    let set = expression(&path, &layout).unwrap();
    assert_eq!(
        (set.genes.concat().as_str(), set.samples[1].as_str(), set.row(1)),
        ("G1G2", "c2", [2.0, -1.0].as_slice())
    );
    assert_eq!((set.classes.concat().as_str(), set.labels.as_slice()), ("B cellT cell", [1, 0].as_slice()));
    let plain = ExpressionLayout { header: false, names: false, label: LabelColumn::Last };
    let (_folder, path) = file("b.txt", "1 2 0\r\n3 4 1\r\n");
    let set = expression(&path, &plain).unwrap();
    assert_eq!((set.len(), set.genes.len(), set.labels.as_slice()), (2, 2, [0, 1].as_slice()));
    for (text, expected) in [
        ("g,G1\nc1,NA\n", "a.txt, line 2: G1 \"NA\" is no number"),
        ("g,G1\nc1,nan\n", "a.txt, line 2: G1 is NaN, which is not finite"),
        ("g,G1\n", "a.txt has no rows"),
        ("g\nc1\n", "a.txt: the set has no genes"),
    ] {
        let message = refusal(text, |path| expression(path, &ExpressionLayout::default()));
        assert!(message.starts_with(expected), "{message}");
    }
    assert!(refusal("g,G1\nc1,1\n", |path| expression(path, &layout)).contains("has no column label; it has: g, G1"));
    let (_folder, path) = file("m.txt", "1 0 \r\n0 1 \r\n1 1 \r\n");
    assert_eq!(matrix(&path).unwrap(), Matrix { rows: 3, columns: 2, values: vec![1.0, 0.0, 0.0, 1.0, 1.0, 1.0] });
}

#[test]
fn classes_beside_an_expression_table() {
    let folder = tempfile::tempdir().unwrap();
    let (x, y) = (folder.path().join("x.csv"), folder.path().join("y.csv"));
    fs::write(&x, "\"\",\"V1\"\n\"V1\",0.5\n\"V2\",1\n").unwrap();
    fs::write(&y, "\"\",\"x\"\n\"1\",4\n\"2\",1\n").unwrap();
    let set = khan(&x, &y).unwrap();
    assert_eq!((set.labels.as_slice(), set.classes[3].as_str()), ([3, 0].as_slice(), "RMS"));
    fs::write(&y, "\"\",\"x\"\n\"1\",5\n").unwrap();
    assert!(khan(&x, &y).unwrap_err().to_string().ends_with("line 2: class 5; 1 to 4 are due"));
    fs::write(&y, "\"\",\"x\"\n\"1\",4\n").unwrap();
    assert!(khan(&x, &y).unwrap_err().to_string().contains("1 classes for the 2 samples"));
}

#[test]
fn bins_of_marks() {
    let (_folder, path) = file("a.csv", "g1,1,1,2,0\ng1,2,3,4,0\ng2,1,5,6,1\ng2,2,7,8,1\n");
    let set = deepchrome(&path).unwrap();
    assert_eq!((set.len(), set.bins, set.marks.len(), set.labels.as_slice()), (2, 2, 2, [0.0, 1.0].as_slice()));
    // Mark after mark: both bins of the first, then both of the second.
    assert_eq!(set.values, [1.0, 3.0, 2.0, 4.0, 5.0, 7.0, 6.0, 8.0]);
    for (text, expected) in [
        ("g1,1,1,0\ng1,3,1,0\n", "line 2: bin 3 where bin 2 or 1 is due"),
        ("g1,2,1,0\n", "line 1: bin 2 where bin 1 is due"),
        ("g1,1,1,0\ng2,2,1,0\n", "line 2: bin 2 is of another gene or label than bin 1"),
        ("g1,1,1,0\ng1,2,1,0\ng2,1,1,0\ng3,1,1,0\n", "line 4: gene g2 before it has 1 bins, the first has 2"),
        ("g1,1,1,0\ng1,2,1,0\ng2,1,1,0\n", "line 3: gene g2 before it has 1 bins, the first has 2"),
        ("g1,1,1,2\n", "line 1: label 2 or a count is not what it should be"),
        ("g1,1,0\n", "line 1: 3 columns where gene, bin, marks and label are due"),
        ("g1,x,1,0\n", "line 1: bin \"x\" is no number"),
        ("\n", "has no rows"),
    ] {
        let message = refusal(text, deepchrome);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn sites_and_intervals() {
    let (_folder, path) = file("a.bed", "18\t3000023\t1.0\n18\t3000086\t0.25\n");
    let sites = methylation(&path, None).unwrap();
    assert_eq!(
        (sites[0].0.start, sites[1].0.to_string().as_str(), sites[1].1),
        (3_000_022, "18:3000086-3000086(+)", 0.25)
    );
    let sites = |path: &Path| methylation(path, None);
    assert!(refusal("18\t0\t1\n", sites).ends_with("line 1: position 0; positions count from 1"));
    assert!(refusal("18\t5\t1.5\n", sites).ends_with("line 1: methylation 1.5; 0 to 1 is due"));
    let (_folder, path) = file("a.csv", "id,region,start,end,strand\nx,chr1,0,5,-\ny,chr1,7,9,\n");
    let records = intervals(&path).unwrap();
    assert_eq!((records[0].locus.to_string().as_str(), records[1].stranded), ("chr1:1-5(-)", false));
    assert!(refusal("id,start,end\nx,0,5\n", intervals).contains("has no column region or chrom"));
    assert!(
        refusal("chr,start,end\nx,-2,5\n", intervals).ends_with("line 2: start -2 is negative; positions count from 0")
    );
}

#[test]
fn samples_get_their_classes_and_patients_by_name() {
    let (_folder, table) = file("expression.csv", "sample,g1,g2\ns1,1,2\ns2,3,4\ns3,5,6\n");
    let set = expression(&table, &ExpressionLayout::default()).unwrap();
    let (_other, labels) = file("labels.tsv", "id\tclass\tpatient\ns3\tx\tp2\ns1\ty\tp1\ns2\tx\tp1\ns9\tz\tp3\n");
    let columns = TableColumns { group: Some("patient".to_owned()), ..TableColumns::default() };
    let (found, groups) = labelled(set.clone(), &labels, &columns, None).unwrap();
    assert_eq!(
        (found.classes, found.labels, groups),
        (["x", "y"].map(str::to_owned).to_vec(), vec![1, 0, 0], Some(vec![0, 0, 1]))
    );
    let known = ["w", "x", "y"].map(str::to_owned);
    let (found, groups) = labelled(set.clone(), &labels, &TableColumns::default(), Some(&known)).unwrap();
    assert_eq!((found.labels, groups), (vec![2, 1, 1], None));
    let refused = |text: &str, classes: Option<&[String]>| {
        let (_folder, path) = file("labels.tsv", text);
        labelled(set.clone(), &path, &TableColumns::default(), classes).unwrap_err().to_string()
    };
    let twice = refused("sample\tlabel\ns1\ta\ns1\tb\n", None);
    assert!(twice.ends_with("labels.tsv, line 3: sample s1 comes twice"), "{twice}");
    assert!(refused("sample\tlabel\ns1\ta\n", None).ends_with("sample s2 of the expression table is not in it"));
    let other = refused("sample\tlabel\ns1\ta\ns2\tx\ns3\tx\n", Some(&known));
    assert!(other.ends_with("class a is none of w, x, y"), "{other}");
    assert!(refused("sample\tage\n", None).contains("has no column label or class"));
}

#[test]
fn genes_are_connected_by_a_matrix_or_by_names() {
    let genes = ["a", "b", "c"].map(str::to_owned);
    let expected = vec![[0, 0], [0, 2], [1, 1], [2, 0], [2, 2]];
    let (_folder, names) = file("edges.tsv", "a\tc\nb\tx\n");
    assert_eq!(gene_graph(&names, &genes).unwrap(), expected);
    let (_folder, matrix) = file("graph.csv", "1,0,1\n0,1,0\n1,0,1\n");
    assert_eq!(gene_graph(&matrix, &genes).unwrap(), expected);
    let (_folder, small) = file("graph.csv", "1,0,0\n0,1,0\n");
    assert!(gene_graph(&small, &genes).unwrap_err().to_string().contains("2 rows of 3 numbers for 3 genes"));
    let (_folder, strange) = file("edges.tsv", "x\ty\n");
    assert!(gene_graph(&strange, &genes).unwrap_err().to_string().contains("it connects none of the genes"));
    let (_folder, list) = file("landmarks.txt", "# L1000\na\tp53\n\nc\n");
    assert_eq!(word_list(&list).unwrap(), ["a", "c"]);
    assert!(refusal("# none\n", word_list).ends_with("has no names"));
}
