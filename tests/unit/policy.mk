# unit tests of policy/
