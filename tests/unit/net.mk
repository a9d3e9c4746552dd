# unit tests of net/
