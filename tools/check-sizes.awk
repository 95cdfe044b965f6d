# SPDX-License-Identifier: Apache-2.0
#
# The check behind tools/check-sizes: `awk -v table=FILE -f check-sizes.awk SOURCES…`, run in the
# tree's root. Plain awk, so that mawk does. It reads C as clang-format leaves it: a function's
# braces stand in column 0, a struct's members one to a statement. Of JavaScript it reads functions
# and methods whose closing brace stands under the line that opened them.

# what: file, lines, parameters or members; name: of the function or struct, or the file itself
function found(where, what, name, count, most) {
	if (count <= most)
		return
	if ((what " " name) in allowed) {
		used[what " " name] = 1
		return
	}
	print where ": " name " has " count " " word[what] ", at most " most \
		" (tools/sizes has the exceptions)"
	failures++
}

function read_table(    line, number, parts, n) {
	while ((getline line < table) > 0) {
		number++
		if (line ~ /^[ \t]*(#|$)/)
			continue
		n = split(line, parts, /[ \t]+/)
		if (n < 3 || !(parts[1] in word)) {
			print table ":" number ": expected `file|lines|parameters|members NAME REASON`"
			failures++
			continue
		}
		allowed[parts[1] " " parts[2]] = number
	}
	close(table)
}

# Parameters of a signature: what stands between the last pair of outermost parentheses.
function count_parameters(text,    i, c, depth, count, inside) {
	gsub(/__attribute__\(\(.*\)\)/, "", text)
	for (i = 1; i <= length(text); i++) {
		c = substr(text, i, 1)
		if (c ~ /[([{]/) {
			if (++depth == 1 && c == "(") {
				count = 1
				inside = ""
			}
		} else if (c ~ /[])}]/)
			depth--
		else if (c == "," && depth == 1)
			count++
		else if (depth == 1)
			inside = inside c
	}
	gsub(/[ \t]/, "", inside)
	return inside == "void" || inside == "" ? 0 : count
}

function name_of(text) {
	sub(/\(.*/, "", text)
	sub(/[ \t]+$/, "", text)
	sub(/.*[ \t*]/, "", text)
	return text
}

# One statement within a struct: members are what commas part outside of brackets.
function count_members(text,    i, c, depth, count) {
	gsub(/\/\*([^*]|\*[^\/])*\*\//, "", text)
	if (text ~ /^[ \t]*$/)
		return 0
	count = 1
	for (i = 1; i <= length(text); i++) {
		c = substr(text, i, 1)
		if (c == "(" || c == "[")
			depth++
		else if (c == ")" || c == "]")
			depth--
		else if (c == "," && depth == 0)
			count++
	}
	return count
}

function strip_comments(line) {
	if (in_comment) {
		if (line !~ /\*\//)
			return ""
		sub(/.*\*\//, "", line)
		in_comment = 0
	}
	gsub(/\/\*([^*]|\*[^\/])*\*\//, "", line)
	if (line ~ /\/\*/) {
		sub(/\/\*.*/, "", line)
		in_comment = 1
	}
	return line
}

function end_of_file() {
	if (file != "")
		found(file ":1", "file", file, lines, FILE_MAX)
}

function c_struct(line,    opened) {
	if (line ~ /^#/)
		return
	opened = line ~ /\{[ \t]*$/
	if (opened && line ~ /(struct|union)( [a-z_0-9]+)? \{[ \t]*$/ && line !~ /=/) {
		depth++
		members[depth] = 0
		statement[depth] = ""
		struct_at[depth] = FNR
		struct_name[depth] = match(line, /struct [a-z_0-9]+/) ? \
			substr(line, RSTART + 7, RLENGTH - 7) : "(unnamed)"
		return
	}
	if (!depth)
		return
	if (line ~ /^[ \t]*\}/) {
		if (struct_name[depth] !~ /_(params|options)$/)
			found(FILENAME ":" struct_at[depth], "members", struct_name[depth], \
				members[depth], MEMBERS_MAX)
		depth--
		if (depth)
			members[depth] += count_members(line)
		return
	}
	statement[depth] = statement[depth] line
	while (match(statement[depth], /;/)) {
		members[depth] += count_members(substr(statement[depth], 1, RSTART - 1))
		statement[depth] = substr(statement[depth], RSTART + 1)
	}
}

function c_line(line) {
	if (body) {
		if (line ~ /^\}/) {
			found(FILENAME ":" signature_at, "lines", name_of(signature), \
				FNR - signature_at + 1, LINES_MAX)
			body = 0
			signature = ""
		}
		return
	}
	line = strip_comments(line)
	if (line ~ /^\{[ \t]*$/ && signature ~ /\)[ \t]*$/) {
		found(FILENAME ":" signature_at, "parameters", name_of(signature), \
			count_parameters(signature), PARAMETERS_MAX)
		body = 1
		return
	}
	c_struct(line)
	if (line ~ /^[a-z]/ && !depth) {
		signature = line
		signature_at = FNR
	} else if (line ~ /^[ \t]+[^ \t]/ && signature != "" && !depth)
		signature = signature " " line
	else if (line ~ /[;}]/)
		signature = ""
}

function js_line(line,    indent, head) {
	indent = match(line, /[^\t]/) ? RSTART - 1 : 0
	if (js_name != "" && indent == js_indent && line ~ /^\t*\}/) {
		found(FILENAME ":" js_at, "lines", js_name, FNR - js_at + 1, LINES_MAX)
		js_name = ""
	}
	if (js_name != "" || line !~ /\{[ \t]*$/)
		return
	head = substr(line, indent + 1)
	if (head ~ /^(export )?(default )?(async )?function\*? ?[a-zA-Z_]*\(/ || \
		(indent == 1 && head ~ /^(static )?(async )?\*?(get |set )?#?[a-zA-Z_]+\(.*\) \{$/ && \
		head !~ /^(if|for|while|switch|catch)/)) {
		js_name = name_of(head)
		js_indent = indent
		js_at = FNR
		sub(/ \{[ \t]*$/, "", head)
		found(FILENAME ":" FNR, "parameters", js_name, count_parameters(head), PARAMETERS_MAX)
	}
}

BEGIN {
	FILE_MAX = 500
	LINES_MAX = 55
	PARAMETERS_MAX = 5
	MEMBERS_MAX = 25
	word["file"] = "lines"
	word["lines"] = "lines"
	word["parameters"] = "parameters"
	word["members"] = "members"
	read_table()
}

FNR == 1 {
	end_of_file()
	file = FILENAME
	sources++
	body = depth = in_comment = 0
	signature = js_name = ""
}

{
	lines = FNR
	if (FILENAME ~ /\.js$/)
		js_line($0)
	else
		c_line($0)
}

END {
	end_of_file()
	for (row in allowed)
		if (!(row in used)) {
			print table ":" allowed[row] ": nothing needs the row `" row "` any more"
			failures++
		}
	if (!sources) {
		print table ": no source was read"
		failures++
	}
	exit failures > 0
}
