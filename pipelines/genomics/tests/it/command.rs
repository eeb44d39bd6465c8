//! `galen-genomics`, run to its end or beside the test, and one demo run that several tests look at.

tests::program!("galen-genomics", galen_genomics, galen_genomics_in, galen_genomics_with);
