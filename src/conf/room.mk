# files of this room
libpostern_a_SOURCES += \
	src/conf/auth.c \
	src/conf/certificate.c src/conf/certificate.h \
	src/conf/check.c \
	src/conf/conf.h \
	src/conf/file.c src/conf/file.h \
	src/conf/finding.c src/conf/finding.h \
	src/conf/include.c \
	src/conf/inspection.c \
	src/conf/key_uri.c src/conf/key_uri.h \
	src/conf/limits.c \
	src/conf/line.c src/conf/line.h \
	src/conf/list.c \
	src/conf/list_header.c src/conf/list_header.h \
	src/conf/listener_tls.c \
	src/conf/load.c src/conf/load.h \
	src/conf/log.c \
	src/conf/log_lines.c \
	src/conf/option.c src/conf/option.h \
	src/conf/outline.c src/conf/outline.h \
	src/conf/outline_diff.c \
	src/conf/outline_lines.h \
	src/conf/outline_list.c src/conf/outline_list.h \
	src/conf/parent.c \
	src/conf/probe.c src/conf/probe.h \
	src/conf/report.c \
	src/conf/rounds.c \
	src/conf/set.c \
	src/conf/store.c src/conf/store.h \
	src/conf/syslog_to.c src/conf/syslog_to.h \
	src/conf/value.c src/conf/value.h
