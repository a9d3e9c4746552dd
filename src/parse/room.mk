# parse/: bytes from peers into values
libpostern_a_SOURCES += \
	src/parse/authority.c src/parse/authority.h \
	src/parse/body.c src/parse/body.h \
	src/parse/cidr.c src/parse/cidr.h \
	src/parse/field.c \
	src/parse/head.c src/parse/head.h \
	src/parse/hello.c src/parse/hello.h \
	src/parse/hostname.c src/parse/hostname.h \
	src/parse/octet.c src/parse/octet.h \
	src/parse/proxy_header.c src/parse/proxy_header.h \
	src/parse/result.h \
	src/parse/url.c src/parse/url.h
