libpostern_a_SOURCES += \
	src/parse/authority.c src/parse/body.c src/parse/cidr.c src/parse/field.c src/parse/head.c src/parse/hello.c src/parse/hostname.c src/parse/octet.c
