# files of this room
libpostern_a_SOURCES += \
	src/import/arena.c src/import/arena.h \
	src/import/m365.c src/import/m365.h \
	src/import/m365_inside.h \
	src/import/m365_items.c \
	src/import/squid.c src/import/squid.h \
	src/import/squid_access.c \
	src/import/squid_acl.c \
	src/import/squid_auth.c \
	src/import/squid_bump.c \
	src/import/squid_choice.c \
	src/import/squid_inside.h \
	src/import/squid_options.c \
	src/import/squid_ports.c \
	src/import/squid_read.c \
	src/import/squid_regex.c \
	src/import/squid_terms.c \
	src/import/squid_value.c \
	src/import/squid_way.c \
	src/import/squid_write.c
