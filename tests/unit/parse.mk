# unit tests of parse/
