//! `galen-imaging`, run to its end or beside the test, and one demo run that several tests look at.

tests::program!("galen-imaging", galen_imaging, galen_imaging_in, galen_imaging_with);
