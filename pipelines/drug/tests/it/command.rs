//! `galen-drug`, run to its end or beside the test, and one demo run that several tests look at.

tests::program!("galen-drug", galen_drug, galen_drug_in, galen_drug_with);
