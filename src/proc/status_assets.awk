# SPDX-License-Identifier: MIT
# Makes C of text files: each becomes a struct span of its name, a line a string.
function end() {
	if (name != "")
		printf ";\nconst struct span %s = {%s_text, sizeof %s_text - 1};\n", name, name, name
}
BEGIN {
	print "/* made by status_assets.awk */\n#include \"proc/status_assets.h\"\n"
}
FNR == 1 {
	end()
	name = FILENAME
	sub(/.*\//, "", name)
	gsub(/[^a-z]/, "_", name)
	printf "static const char %s_text[] =", name
}
{
	gsub(/\\/, "&&")
	gsub(/"/, "\\\\&")
	printf "\n\t\"%s\\n\"", $0
}
END {
	end()
}
