//! Phrases, and what denies them.

use proptest::prelude::*;

use super::Assertion::{Affirmed, Family, Negated, Possible};
use super::*;

/// Sentences labelled by hand; those of the first block are of the kinds that the paper discusses.
const SENTENCES: &[(&str, &[Assertion])] = &[
    // negation before and behind, with and without words between
    ("The patient denies chest pain.", &[Negated]),
    ("No evidence of diabetes.", &[Negated]),
    ("Extremities show no cyanosis, clubbing, or edema.", &[Negated]),
    ("Diabetes was ruled out.", &[Negated]),
    ("Negative for fever, chills, chest pain and diabetes", &[Negated, Negated, Negated]),
    ("She doesn’t have diabetes.", &[Negated]),
    ("non-diabetes clinic", &[Negated]),
    ("Pt. w/o fever", &[Negated]),
    ("Fever is absent, edema is absent", &[Negated, Negated]),
    // what looks like a negation and is none
    ("No increase in edema.", &[Affirmed]),
    ("Gram negative rods with fever.", &[Affirmed]),
    ("This did not cause edema.", &[Affirmed]),
    // the scope ends
    ("No fever but edema of both legs.", &[Negated, Affirmed]),
    ("Denies fever although diabetes is known.", &[Negated, Affirmed]),
    ("No fever. Diabetes for ten years.", &[Negated, Affirmed]),
    ("no fever. has diabetes", &[Negated, Affirmed]),
    ("No fever\n- Diabetes", &[Negated, Affirmed]),
    ("No fever or\nedema", &[Negated, Negated]),
    ("Glucose 7.2 mmol/L without fever; diabetes", &[Negated, Affirmed]),
    // possible
    ("Rule out diabetes.", &[Possible]),
    ("Diabetes should be ruled out.", &[Possible]),
    ("Diabetes is suspected", &[Possible]),
    ("Diabetes cannot be excluded; r/o fever", &[Possible, Possible]),
    // relatives
    ("FAMILY HISTORY:\nDiabetes, edema\nFever today", &[Family, Family, Affirmed]),
    ("Her mother had diabetes, but she has edema.", &[Family, Affirmed]),
    ("No family history of diabetes.", &[Family]),
    // affirmed
    ("History of diabetes since 1990, on insulin 10 units q.d. for diabetes.", &[Affirmed, Affirmed]),
    ("DIABETES MELLITUS, poorly controlled", &[Affirmed]),
    ("Edema. No complaints.", &[Affirmed]),
];

fn finder() -> PhraseFinder {
    PhraseFinder::new(["diabetes", "diabetes mellitus", "chest pain", "fever", "edema"]).unwrap()
}

#[test]
fn labelled_sentences() {
    for (text, labels) in SENTENCES {
        let found: Vec<Assertion> = finder().find(text).iter().map(|mention| mention.assertion).collect();
        assert_eq!(found, *labels, "{text}");
        assert_eq!(finder().affirmed(text), labels.contains(&Affirmed), "{text}");
    }
}

#[test]
fn mentions_say_where_they_are_and_the_longest_phrase_wins() {
    let text = "Type-2\ndiabetes MELLITUS und Ödem: diabetes.";
    let finder = PhraseFinder::new(["type 2 diabetes", "type 2 diabetes mellitus", "diabetes", "ödem"]).unwrap();
    let found: Vec<(usize, &str)> =
        finder.find(text).iter().map(|mention| (mention.phrase, &text[mention.start..mention.end])).collect();
    assert_eq!(found, [(1, "Type-2\ndiabetes MELLITUS"), (3, "Ödem"), (2, "diabetes")]);
}

#[test]
fn a_window_of_five_words_is_that_of_the_paper() {
    let near = "no one two three four five fever";
    let far = "no one two three four five six fever";
    let judge = |finder: PhraseFinder, text| finder.find(text)[0].assertion;
    assert_eq!((judge(finder(), near), judge(finder(), far)), (Negated, Negated));
    let windowed = || finder().window(Some(5));
    assert_eq!((judge(windowed(), near), judge(windowed(), far)), (Negated, Affirmed));
}

#[test]
fn a_phrase_that_holds_a_trigger_does_not_negate_itself() {
    let finder = PhraseFinder::new(["no known allergies", "fever"]).unwrap();
    let found = finder.find("No known allergies, fever");
    assert_eq!(found.iter().map(|mention| mention.assertion).collect::<Vec<_>>(), [Affirmed, Affirmed]);
}

#[test]
fn phrases_without_words_are_refused() {
    assert_eq!(PhraseFinder::new([""; 0]).unwrap_err(), TextError::Empty);
    let error = PhraseFinder::new(["fever", " - "]).unwrap_err();
    assert_eq!(error, TextError::NoWord { index: 1, phrase: " - ".to_owned() });
    let long = "word ".repeat(MAX_WORDS + 1);
    assert_eq!(PhraseFinder::new([&*long]).unwrap_err(), TextError::TooLong { index: 0, words: MAX_WORDS + 1 });
}

proptest! {
    /// Whatever the text is, mentions lie in it, in order, and are the phrase by letters and digits; and a sentence in
    /// front changes none of them.
    #[test]
    fn any_text_is_read(text in "(diabetes|fever|no|but|denies|[ .,;:!\n'’ÄßİK0-9x-]{0,3}){0,20}") {
        let found = finder().find(&text);
        let letters = |text: &str| -> String {
            text.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
        };
        let mut end = 0;
        for mention in &found {
            prop_assert!(mention.start >= end);
            end = mention.end;
            prop_assert_eq!(letters(&text[mention.start..end]), letters(&finder().phrases()[mention.phrase]));
        }
        let before = format!("No complaints today!\n\n{text}");
        let shifted = finder().find(&before);
        prop_assert_eq!(shifted.len(), found.len());
        for (shifted, mention) in shifted.iter().zip(&found) {
            prop_assert_eq!(shifted.assertion, mention.assertion);
        }
    }
}
