# files of this room
libpostern_a_SOURCES += \
	src/doctor/doctor.h \
	src/doctor/result.h
