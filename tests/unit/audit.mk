# unit tests of audit/
