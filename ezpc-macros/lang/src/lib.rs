//! Front end of the ezpc language.
