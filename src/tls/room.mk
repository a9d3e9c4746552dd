# one line for each file and its header, so that changes to different parts do not meet
libpostern_a_SOURCES += src/tls/profile.h
libpostern_a_SOURCES += src/tls/context.h
libpostern_a_SOURCES += src/tls/end.h
libpostern_a_SOURCES += src/tls/verify.h
libpostern_a_SOURCES += src/tls/aia.h
libpostern_a_SOURCES += src/tls/origin_memory.h
libpostern_a_SOURCES += src/tls/leaf.c src/tls/leaf.h
libpostern_a_SOURCES += src/tls/leaf_wire.c src/tls/leaf_wire.h
libpostern_a_SOURCES += src/tls/mint.c src/tls/mint.h
libpostern_a_SOURCES += src/tls/name_check.c src/tls/name_check.h
libpostern_a_SOURCES += src/tls/leaf_ask.c src/tls/leaf_ask.h
libpostern_a_SOURCES += src/tls/lru.c src/tls/lru.h
libpostern_a_SOURCES += src/tls/leaf_inside.h
