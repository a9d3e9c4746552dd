# unit tests of match/
