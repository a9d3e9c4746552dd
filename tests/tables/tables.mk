# policy tables
