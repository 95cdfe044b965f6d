# SPDX-License-Identifier: Apache-2.0
#
# The check behind tools/check-layers: `awk -v table=FILE -f check-layers.awk SOURCES…`, run in the
# tree's root. Plain awk, so that mawk does. A source that is included but was not given is read
# for its existence only.

function complain(where, text) {
	print where ": " text
	failures++
}

# Does `text` match `pattern`, where * stands for any text?
function matches(pattern, text,    star, head, tail) {
	star = index(pattern, "*")
	if (!star)
		return pattern == text
	head = substr(pattern, 1, star - 1)
	tail = substr(pattern, star + 1)
	return length(text) >= length(head) + length(tail) && \
		substr(text, 1, length(head)) == head && \
		substr(text, length(text) - length(tail) + 1) == tail
}

function folder(path) {
	return sub(/\/[^\/]*$/, "", path) ? path : "."
}

# A file's room is its folder; "" where that has no row in the table.
function room_of(path) {
	path = folder(path)
	return path in beneath ? path : ""
}

# Is a file named by one of the rooms, files or patterns of a list?
function listed(list, file,    n, items, i) {
	n = split(list, items, " ")
	for (i = 1; i <= n; i++)
		if (items[i] == room_of(file) || matches(items[i], file))
			return 1
	return 0
}

function row(line, number,    colon, key, value) {
	colon = index(line, ":")
	if (!colon) {
		complain(table ":" number, "expected `key: values`")
		return
	}
	key = substr(line, 1, colon - 1)
	value = substr(line, colon + 1)
	if (key ~ /^only /)
		only[substr(key, 6)] = value
	else if (key ~ /^</)
		header[key] = value
	else if (key in beneath)
		complain(table ":" number, key " has a row already")
	else {
		beneath[key] = value
		line_of[key] = number
	}
}

function read_table(    line, number) {
	while ((getline line < table) > 0) {
		number++
		if (line !~ /^[ \t]*(#|$)/)
			row(line, number)
	}
	close(table)
	if (!number) {
		complain(table, "cannot be read")
		exit
	}
}

# Rooms in depth: a room met again while it is still open is a circle.
function walk_rooms(room, trail,    n, items, i) {
	if (state[room] == "done")
		return
	if (state[room] == "open") {
		complain(table ":" line_of[room], "circle of rooms:" trail " " room)
		return
	}
	state[room] = "open"
	n = split(beneath[room], items, " ")
	for (i = 1; i <= n; i++)
		if (items[i] in beneath)
			walk_rooms(items[i], trail " " room)
	state[room] = "done"
}

function exists(path,    line, answer) {
	if (!(path in known)) {
		answer = getline line < path
		close(path)
		known[path] = answer >= 0
	}
	return known[path]
}

# Where "name" lies for the compiler: beside the file, under libjit, under the root.
function resolve(file, name,    at) {
	at = folder(file) "/" name
	if (exists(at))
		return at
	if (exists("libjit/" name))
		return "libjit/" name
	return exists(name) ? name : ""
}

function check_own(name,    target, room) {
	if (name == "config.h") # made by configure
		return
	target = resolve(FILENAME, name)
	if (target == "") {
		complain(FILENAME ":" FNR, "\"" name "\" is nowhere: names start at libjit/ or at the root")
		return
	}
	edges[FILENAME] = edges[FILENAME] " " target
	room = room_of(FILENAME)
	if (room_of(target) != room && !listed(beneath[room], target))
		complain(FILENAME ":" FNR, "\"" name "\" is not beneath " room \
			" (tools/layers:" line_of[room] ": " room ":" beneath[room] ")")
}

function check_system(name,    pattern, room) {
	for (pattern in header)
		if (matches(pattern, name) && !listed(header[pattern], FILENAME))
			complain(FILENAME ":" FNR, name " is only for" header[pattern] " (tools/layers)")
	for (room in only)
		if (index(FILENAME, room "/") == 1 && !listed_pattern(only[room], name))
			complain(FILENAME ":" FNR, name " is not among what `only " room \
				"` allows (tools/layers)")
}

function listed_pattern(list, name,    n, items, i) {
	n = split(list, items, " ")
	for (i = 1; i <= n; i++)
		if (matches(items[i], name))
			return 1
	return 0
}

# Headers in depth, as the rooms above. Tables (.def) are included many times, on purpose.
function walk_files(file, trail,    n, items, i) {
	if (visited[file] == "done")
		return
	if (visited[file] == "open") {
		complain(file ":1", "circle of includes:" trail " " file)
		return
	}
	visited[file] = "open"
	n = split(edges[file], items, " ")
	for (i = 1; i <= n; i++)
		if (items[i] !~ /\.def$/)
			walk_files(items[i], trail " " file)
	visited[file] = "done"
}

BEGIN {
	read_table()
	for (room in beneath)
		walk_rooms(room, "")
}

FNR == 1 {
	known[FILENAME] = 1
	sources++
	if (room_of(FILENAME) == "")
		complain(FILENAME ":1", "belongs to no room: add its folder to tools/layers")
}

/^[ \t]*#[ \t]*include[ \t]*["<]/ {
	start = match($0, /["<]/)
	rest = substr($0, start + 1)
	stop = match(rest, /[">]/)
	if (substr($0, start, 1) == "<")
		check_system("<" substr(rest, 1, stop - 1) ">")
	else
		check_own(substr(rest, 1, stop - 1))
}

END {
	for (file in edges)
		walk_files(file, "")
	if (!sources)
		complain(table, "no source was read")
	exit failures > 0
}
