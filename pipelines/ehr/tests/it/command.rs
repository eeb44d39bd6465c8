//! `galen-ehr`, run to its end or beside the test, and one demo run that several tests look at.

tests::program!("galen-ehr", galen_ehr, galen_ehr_in, galen_ehr_with);
