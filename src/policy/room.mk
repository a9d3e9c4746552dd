# files of this room
libpostern_a_SOURCES += \
	src/policy/block.h \
	src/policy/build.h \
	src/policy/carried.c src/policy/carried.h \
	src/policy/compile.c src/policy/compile.h \
	src/policy/effects.c \
	src/policy/egress.c src/policy/egress.h \
	src/policy/entries.c \
	src/policy/gather.c \
	src/policy/graves.c src/policy/graves.h \
	src/policy/graves_deep.c \
	src/policy/guard.c src/policy/guard.h \
	src/policy/hosts.c \
	src/policy/lint.c \
	src/policy/open.h \
	src/policy/outward.c src/policy/outward.h \
	src/policy/pac.c src/policy/pac.h \
	src/policy/pac_hosts.c \
	src/policy/people.c \
	src/policy/person.c \
	src/policy/policy.c src/policy/policy.h \
	src/policy/pool.c src/policy/pool.h \
	src/policy/request.c \
	src/policy/request_gather.c \
	src/policy/rows.c \
	src/policy/rule.c src/policy/rule.h \
	src/policy/shown.c src/policy/shown.h \
	src/policy/snapshot.c src/policy/snapshot.h \
	src/policy/snapshot_build.c \
	src/policy/snapshot_inside.h \
	src/policy/trace.c \
	src/policy/ways.c
