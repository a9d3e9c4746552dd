# files of this room
libpostern_a_SOURCES += \
	src/match/addr_group.c \
	src/match/addr_set.c src/match/addr_set.h \
	src/match/fold.c src/match/fold.h \
	src/match/glob.c src/match/glob.h \
	src/match/host_builder.c src/match/host_builder.h \
	src/match/host_covered.c \
	src/match/host_finish.c src/match/host_flat.h \
	src/match/host_open.h \
	src/match/host_read.c \
	src/match/host_set.c src/match/host_set.h \
	src/match/host_spec.c src/match/host_spec.h \
	src/match/loose.c src/match/loose.h \
	src/match/loose_builder.c src/match/loose_flat.h \
	src/match/loose_literal.c \
	src/match/name_index.c src/match/name_index.h \
	src/match/pattern.c src/match/pattern.h \
	src/match/tag_sets.c src/match/tag_sets.h
