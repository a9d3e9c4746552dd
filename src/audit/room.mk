# files of this room
libpostern_a_SOURCES += \
	src/audit/anonymise.c src/audit/anonymise.h \
	src/audit/check.c src/audit/check.h \
	src/audit/filter.c src/audit/filter.h \
	src/audit/format.c src/audit/format.h \
	src/audit/format_cef.c \
	src/audit/format_combined.c \
	src/audit/format_custom.c \
	src/audit/format_json.c \
	src/audit/format_kinds.h \
	src/audit/format_leef.c \
	src/audit/format_squid.c \
	src/audit/format_w3c.c \
	src/audit/line.c src/audit/line.h \
	src/audit/record.c src/audit/record.h \
	src/audit/sink.c src/audit/sink.h \
	src/audit/sink_file.c \
	src/audit/sink_journal.c src/audit/sink_journal.h \
	src/audit/sink_kind.h \
	src/audit/sink_syslog.c src/audit/sink_syslog.h \
	src/audit/spool.c src/audit/spool.h \
	src/audit/window.c src/audit/window.h \
	src/audit/wire.c src/audit/wire.h \
	src/audit/wire_tls.c src/audit/wire_tls.h \
	src/audit/words.c src/audit/words.h
