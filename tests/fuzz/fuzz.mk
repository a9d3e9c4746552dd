# libFuzzer targets and the program that replays their corpus
