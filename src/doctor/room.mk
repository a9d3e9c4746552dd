# files of this room
libpostern_a_SOURCES += \
	src/doctor/advice.c src/doctor/advice.h \
	src/doctor/attempt.c src/doctor/attempt.h \
	src/doctor/board.c src/doctor/board.h \
	src/doctor/chain.c src/doctor/chain.h \
	src/doctor/changes.c src/doctor/changes.h \
	src/doctor/cord.c src/doctor/cord.h \
	src/doctor/doctor.c src/doctor/doctor.h \
	src/doctor/exposition.c src/doctor/exposition.h \
	src/doctor/metrics.c src/doctor/metrics.h \
	src/doctor/microsoft_root.c \
	src/doctor/plan.c src/doctor/plan.h \
	src/doctor/result.c src/doctor/result.h \
	src/doctor/talk.c src/doctor/talk.h \
	src/doctor/targets.c \
	src/doctor/routes.c src/doctor/routes.h
