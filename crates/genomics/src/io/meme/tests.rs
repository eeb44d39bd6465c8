//! Tests of `io::meme`.

use std::io::Cursor;

use super::*;

const SAMPLE: &str = "\
MEME version 4.4

ALPHABET= ACGT

strands: + -

Background letter frequencies (from uniform background):
A 0.25000 C 0.25000 G 0.25000 T 0.25000 

MOTIF M0085_1.02 (TFAP2E)_(Mus_musculus)

letter-probability matrix: alength= 4 w= 2 nsites= 17 E= 4.1e-009
  0.250000\t  0.250000\t  0.250000\t  0.250000\t
  0.500000\t  0.500000\t  0.000000\t  0.000000\t

URL http://example.org/1

MOTIF second
letter-probability matrix: alength= 4 w= 1 nsites= 681
1.0\t0.0\t0.0\t0.0
URL http://example.org/2

MOTIF last
letter-probability matrix:
0.1 0.2 0.3 0.4
0.4 0.3 0.2 0.1";

fn parsed(text: impl Into<Vec<u8>>) -> Result<MotifFile, IoError> {
    read(Lines::new(Cursor::new(text.into()), Path::new("a.meme")))
}

fn refused(text: &str) -> String {
    parsed(text).unwrap_err().to_string()
}

#[test]
fn everything_of_a_file_is_read() {
    for text in [SAMPLE.to_owned(), SAMPLE.replace('\n', "\r\n"), format!("{SAMPLE}\n"), format!("{SAMPLE}\nURL x\n")] {
        let file = parsed(text.clone()).unwrap();
        assert_eq!((file.background, file.both_strands), (UNIFORM, true));
        let [first, second, last] = file.motifs.as_slice() else { panic!("{} motifs", file.motifs.len()) };
        assert_eq!((first.name.as_str(), first.alias.as_deref()), ("M0085_1.02", Some("(TFAP2E)_(Mus_musculus)")));
        assert_eq!((first.sites, first.e_value), (Some(17.0), Some(4.1e-9)));
        assert_eq!(first.columns(), [[0.25; 4], [0.5, 0.5, 0.0, 0.0]]);
        assert_eq!(first.url.as_deref(), Some("http://example.org/1"));
        assert_eq!((second.alias.as_deref(), second.sites, second.e_value), (None, Some(681.0), None));
        assert_eq!(second.url.as_deref(), Some("http://example.org/2"));
        // a matrix that does not say how wide it is ends where the numbers end
        assert_eq!((last.name.as_str(), last.width(), last.sites), ("last", 2, None));
        assert_eq!(last.url.as_deref(), text.trim_end().ends_with("URL x").then_some("x"));
    }
}

#[test]
fn results_of_meme_itself_are_read() {
    // abridged from MEME's text output, with its score matrix before the probabilities
    let text = "\
********************************************************************************
MEME - Motif discovery tool
********************************************************************************
MEME version 5.5.5 (Release date: Thu Sep 14 08:48:04 2023 +1000)

ALPHABET \"DNA\" DNA-LIKE
A \"Adenine\" CC0000 ~ T \"Thymine\" 008000
C \"Cytosine\" 0000CC ~ G \"Guanine\" FFB300
END ALPHABET
strands: +
Letter frequencies in dataset:
A 0.3 C 0.2 G 0.2 T 0.3
Background letter frequencies (from file dataset with add-one prior applied):
A 0.3 C 0.2
G 0.2 T 0.3

MOTIF TG MEME-1\twidth =   2  sites =   5  llr = 54  E-value = 1.2e-004
--------------------------------------------------------------------------------
BL   MOTIF TG width=2 seqs=5
log-odds matrix: alength= 4 w= 2 n= 1000 bayes= 7.1 E= 1.2e-004
 -1045  -1045  -1045  166
 -1045  -1045  221 -1045
--------------------------------------------------------------------------------
letter-probability matrix: alength= 4 w= 2 nsites= 5 E= 1.2e-004
 0.000000  0.000000  0.000000  1.000000
 0.000000  0.000000  1.000000  0.000000
--------------------------------------------------------------------------------
Stopped because requested number of motifs (1) found.
";
    let file = parsed(text).unwrap();
    assert_eq!((file.background, file.both_strands), ([0.3, 0.2, 0.2, 0.3], false));
    assert_eq!(file.motifs.len(), 1);
    let motif = &file.motifs[0];
    assert_eq!((motif.name.as_str(), motif.alias.as_deref(), motif.sites), ("TG", Some("MEME-1"), Some(5.0)));
    assert_eq!(motif.consensus(), "TG");
}

#[test]
fn refusals_say_where_and_why() {
    let head = "MEME version 4\n\n";
    let matrix = "MOTIF m\nletter-probability matrix: alength= 4 w= 2 nsites= 5\n";
    for (text, expected) in [
        ("ACGT\n".to_owned(), "line 1: no file of motifs; it must begin with MEME version 4"),
        ("MEME version 3.0\n".to_owned(), "line 1: MEME version \"3.0\" is not read; convert the file to version 4"),
        (
            format!("{head}ALPHABET= ACDEFGHIKLMNPQRSTVWY\n"),
            "is no alphabet of DNA or RNA; only motifs over ACGT are read",
        ),
        (head.to_owned(), "a.meme has no motifs"),
        (format!("{head}MOTIF m\n"), "line 3: the file ends, but motif m has no letter-probability matrix"),
        (
            format!("{head}MOTIF m\nMOTIF n\n"),
            "line 4: the next motif begins, but motif m has no letter-probability matrix",
        ),
        (format!("{head}MOTIF\n"), "line 3: MOTIF without a name"),
        (format!("{head}{matrix}0.25 0.25 0.25 0.25\n"), "line 5: the file ends after 1 of the 2 rows of motif m"),
        (
            format!("{head}{matrix}0.25 0.25 0.25 0.25\nMOTIF n\n"),
            "line 6: motif m: row 2 of 2 is due, not \"MOTIF n\"",
        ),
        (format!("{head}{matrix}0.25 0.25 0.5\n"), "line 5: motif m: row 1 of 2 is due, of 4 numbers, not 3"),
        (
            format!("{head}{matrix}0.2 0.2 0.2 0.2\n0.25 0.25 0.25 0.25"),
            "position 1: the probabilities sum to 0.8, not to 1",
        ),
        (format!("{head}{matrix}1.5 -0.5 0 0\n0.25 0.25 0.25 0.25"), "motif m, position 1: -0.5 is no probability"),
        (format!("{head}{matrix}NaN 0 0 0\n0.25 0.25 0.25 0.25"), "motif m, position 1: NaN is no probability"),
        (format!("{head}letter-probability matrix: w= 2\n"), "line 3: a matrix without a MOTIF line before it"),
        (
            format!("{head}MOTIF m\nletter-probability matrix: alength= 20 w= 2\n"),
            "a matrix of 20 letters; only motifs over",
        ),
        (
            format!("{head}MOTIF m\nletter-probability matrix: alength= 4 w= x\n"),
            "w= \"x\" is no number that fits there",
        ),
        (format!("{head}MOTIF m\nletter-probability matrix: alength= 4 w= 0\n"), "w= 0 is no number of positions"),
        (
            format!("{head}Background letter frequencies\nA 0.25 G 0.25\n"),
            "\"G\" stands where the background frequency of C",
        ),
        (
            format!("{head}Background letter frequencies\nA 1 C 1 G 1 T 1\n"),
            "the background frequencies sum to 4, not to 1",
        ),
        (
            format!("{head}Background letter frequencies\nA 0.25 C 0.25\n"),
            "the file ends after 2 of 4 background frequencies",
        ),
    ] {
        let message = refused(&text);
        assert!(message.contains(expected), "{message:?} does not say {expected:?}");
        assert!(message.starts_with("a.meme"), "{message}");
    }
}

#[test]
fn what_is_written_is_read_again_and_sums_to_one() {
    let mut motifs = vec![
        Motif::from_counts("filter 3", &[[1.0, 1.0, 1.0, 0.0], [0.0, 7.0, 0.0, 0.0]], 0.0).unwrap().with_alias("a\tb"),
        Motif::new("tiny", vec![[1e-9, 0.333_333_3, 0.333_333_3, 0.333_333_4]]).unwrap(),
    ];
    motifs[0].e_value = Some(1.5e-7);
    motifs[0].url = Some("http://example.org".into());
    let file = MotifFile { motifs, background: [0.3, 0.2, 0.2, 0.3], both_strands: false };
    let folder = tempfile::tempdir().unwrap();
    for name in ["motifs.meme", "motifs.meme.gz"] {
        let path = folder.path().join(name);
        write_meme(&path, &file).unwrap();
        let again = read_meme(&path).unwrap();
        assert_eq!((again.background, again.both_strands), (file.background, false));
        let [first, second] = again.motifs.as_slice() else { panic!("two motifs") };
        assert_eq!((first.name.as_str(), first.alias.as_deref()), ("filter_3", Some("a_b")));
        assert_eq!((first.sites, first.e_value), (Some(7.0), Some(1.5e-7)));
        assert_eq!(first.url.as_deref(), Some("http://example.org"));
        assert_eq!(second.sites, Some(20.0));
        for (written, read) in file.motifs.iter().zip(&again.motifs) {
            for (a, b) in written.columns().iter().flatten().zip(read.columns().iter().flatten()) {
                // six digits are printed
                assert!((a - b).abs() < 1e-6, "{a} {b}");
            }
        }
    }
    let text = std::fs::read_to_string(folder.path().join("motifs.meme")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("0.") || line.starts_with("1."));
    for row in rows {
        let millionths: u64 = row.split(' ').map(|number| number.replace('.', "").parse::<u64>().unwrap()).sum();
        assert_eq!(millionths, 1_000_000, "{row}");
    }
    assert!(text.contains(
        "letter-probability matrix: alength= 4 w= 2 nsites= 7 E= 1.5e-7\n0.333334 0.333333 0.333333 0.000000\n"
    ));
}

#[test]
fn damage_is_refused_or_read_but_never_a_panic() {
    let whole = parsed(SAMPLE).unwrap();
    for length in 0..SAMPLE.len() {
        if let Ok(file) = parsed(&SAMPLE[..length]) {
            let names = |file: &MotifFile| file.motifs.iter().map(|motif| motif.name.clone()).collect::<Vec<_>>();
            assert!(names(&whole).starts_with(&names(&file)), "{length}");
        }
    }
    for bit in 0..SAMPLE.len() * 8 {
        let mut bytes = SAMPLE.as_bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        // whatever comes back is made of probabilities
        if let Ok(file) = parsed(bytes) {
            for column in file.motifs.iter().flat_map(Motif::columns) {
                assert!((column.iter().sum::<f64>() - 1.0).abs() < 1e-12 && column.iter().all(|value| *value >= 0.0));
            }
        }
    }
}
