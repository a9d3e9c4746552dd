# files of this room
libpostern_a_SOURCES += \
	src/import/m365.c src/import/m365.h src/import/m365_inside.h \
	src/import/m365_items.c
