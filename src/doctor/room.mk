# files of this room
libpostern_a_SOURCES += \
	src/doctor/doctor.h \
	src/doctor/result.c src/doctor/result.h \
	src/doctor/targets.c
