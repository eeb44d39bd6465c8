//! Against the upstream tables, and the properties that hold for every string.

use proptest::prelude::*;

use super::*;

#[test]
fn deepdta_smiles_labels_are_upstream_s() {
    // The fifth ligand of Davis, isomeric, through `label_smiles` with CHARISOSMISET of datahelper.py.
    let smiles = "CN(C)C/C=C/C(=O)NC1=C(C=C2C(=C1)C(=NC=N2)NC3=CC(=C(C=C3)F)Cl)O[C@H]4CCOC4";
    let expected: &[u8] = &[
        42, 14, 1, 42, 31, 42, 34, 42, 40, 42, 34, 42, 1, 40, 48, 31, 14, 42, 35, 40, 42, 1, 42, 40, 42, 4, 42, 1, 40,
        42, 35, 31, 42, 1, 40, 14, 42, 40, 14, 4, 31, 14, 42, 36, 40, 42, 42, 1, 40, 42, 1, 42, 40, 42, 36, 31, 11, 31,
        42, 25, 31, 48, 53, 42, 8, 12, 54, 5, 42, 42, 48, 42, 5,
    ];
    let encoded = Tokenizer::deepdta_smiles().encode(smiles, 85);
    assert_eq!(encoded.ids, expected);
    assert_eq!((encoded.length, encoded.unknown.len()), (73, 0));
    assert_eq!(Tokenizer::deepdta_smiles().size(), 64);
}

#[test]
fn deepdta_protein_labels_are_upstream_s() {
    // The start of AAK1 through `label_sequence` with CHARPROTSET of datahelper.py.
    let expected: &[u8] =
        &[11, 10, 10, 7, 7, 5, 17, 18, 18, 4, 15, 6, 6, 17, 6, 12, 6, 17, 6, 17, 17, 6, 6, 6, 6, 17, 20, 17];
    let encoded = Tokenizer::deepdta_protein().encode("MKKFFDSRREQGGSGLGSGSSGGGGSTS", 1200);
    assert_eq!(encoded.ids, expected);
    assert_eq!(Tokenizer::deepdta_protein().size(), 25);
    let odd = Tokenizer::deepdta_protein().encode("MJ*m", 1200);
    assert_eq!(odd.ids, [11, PAD, PAD, PAD]);
    assert_eq!(odd.unknown, [(1, 'J'), (2, '*'), (3, 'm')]);
}

#[test]
fn every_label_is_used_once() {
    for (labels, table, size) in [(SMILES_LABELS, &SMILES, 64), (PROTEIN_LABELS, &PROTEIN, 25)] {
        let mut used: Vec<u8> = labels.bytes().map(|byte| table[usize::from(byte)]).collect();
        used.sort_unstable();
        assert!(used.iter().copied().eq(1..=size), "{labels}");
    }
}

#[test]
fn truncation_is_counted_and_what_is_beyond_it_is_not_unknown() {
    let tokenizer = Tokenizer::deepdta_smiles();
    let encoded = tokenizer.encode("CCpCCp", 4);
    assert_eq!((encoded.ids.len(), encoded.length), (4, 6));
    assert_eq!(encoded.unknown, [(2, 'p')]);
    let mut report = TokenReport::default();
    report.add(&encoded);
    report.add(&tokenizer.encode("CCO", 4));
    assert_eq!(report.to_string(), "1 of 2 strings truncated (2 of 9 tokens dropped, longest 6); unknown: 'p' 1");
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<TokenReport>(&json).unwrap(), report);
}

#[test]
fn chemistry_tokens_are_atoms() {
    let tokenizer = Tokenizer::fit_chemistry(["C[nH]ClBrC%12CC%12%(100)[C@@H]"], 1).unwrap();
    let text = "C[nH]ClBrC%12CC%12%(100)[C@@H]";
    let tokens: Vec<&str> = tokenizer.spans(text).into_iter().map(|span| &text[span]).collect();
    assert_eq!(tokens, ["C", "[nH]", "Cl", "Br", "C", "%12", "C", "C", "%12", "%(100)", "[C@@H]"]);
    assert_eq!((tokenizer.unit(), Tokenizer::deepdta_smiles().unit()), ("token", "character"));
    // Sorted: "%(100)", "%12", "Br", "C", "Cl", "[C@@H]", "[nH]" are labels 2 to 8.
    assert_eq!(tokenizer.size(), 8);
    let encoded = tokenizer.encode("CClN[se]C", 10);
    assert_eq!(encoded.ids, [5, 6, 1, 1, 5]);
    assert_eq!(encoded.unknown, [(3, 'N'), (4, '[')]);
}

#[test]
fn rare_tokens_and_a_full_vocabulary() {
    let tokenizer = Tokenizer::fit_chemistry(["CCO", "CCN", "CCO"], 2).unwrap();
    assert_eq!(tokenizer.encode("NCO", 9).unknown, [(0, 'N')]);
    assert_eq!(Tokenizer::fit_chemistry(["C"], 2), Err(TokenError::Empty { min_count: 2 }));
    let many: Vec<String> = (0..300).map(|mass| format!("[{mass}C]")).collect();
    let tokenizer = Tokenizer::fit_chemistry(many.iter().map(String::as_str), 1).unwrap();
    assert_eq!(tokenizer.size(), 255);
}

#[test]
fn stored_and_read_back() {
    for (tokenizer, json) in [
        (Tokenizer::deepdta_smiles(), r#"{"kind":"deepdta-smiles"}"#),
        (Tokenizer::deepdta_protein(), r#"{"kind":"deepdta-protein"}"#),
        (Tokenizer::fit_chemistry(["ClC"], 1).unwrap(), r#"{"kind":"chemistry","tokens":["C","Cl"]}"#),
    ] {
        assert_eq!(serde_json::to_string(&tokenizer).unwrap(), json);
        assert_eq!(serde_json::from_str::<Tokenizer>(json).unwrap(), tokenizer);
    }
    for damaged in [r#"{"kind":"chemistry","tokens":["C","C"]}"#, r#"{"kind":"chemistry","tokens":["CC"]}"#] {
        let error = serde_json::from_str::<Tokenizer>(damaged).unwrap_err().to_string();
        assert!(error.contains("the vocabulary is damaged"), "{error}");
    }
}

proptest! {
    /// Spans tile every string, with every tokeniser, and labels stay in range.
    #[test]
    fn spans_tile_the_string(text in "(\\PC|[CNBrlc\\[\\]%()0-9@]){0,40}", max_len in 0_usize..50) {
        let fitted = Tokenizer::fit_chemistry(["CCl[nH]c1Br%12"], 1).unwrap();
        for tokenizer in [Tokenizer::deepdta_smiles(), Tokenizer::deepdta_protein(), fitted] {
            let spans = tokenizer.spans(&text);
            let joined: String = spans.iter().map(|span| &text[span.clone()]).collect();
            prop_assert_eq!(&joined, &text);
            let encoded = tokenizer.encode(&text, max_len);
            prop_assert_eq!(encoded.length, spans.len());
            prop_assert_eq!(encoded.ids.len(), spans.len().min(max_len));
            prop_assert!(encoded.ids.iter().all(|&id| usize::from(id) <= tokenizer.size()));
            prop_assert!(encoded.unknown.iter().all(|&(byte, first)| text[byte..].starts_with(first)));
        }
    }

    /// Fitting looks at the tokens, not at their order.
    #[test]
    fn fitting_does_not_depend_on_order(mut strings in proptest::collection::vec("[CNOclB\\[\\]r1]{1,12}", 1..12)) {
        let forwards = Tokenizer::fit_chemistry(strings.iter().map(String::as_str), 1).unwrap();
        strings.reverse();
        prop_assert_eq!(forwards, Tokenizer::fit_chemistry(strings.iter().map(String::as_str), 1).unwrap());
    }
}
