"""What a 64-bit little-endian ELF file says of itself, as far as a release has rules about it."""

import struct

LOAD, DYNAMIC, INTERPRETER = 1, 2, 3
STACK, RELRO, EXECUTABLE = 0x6474E551, 0x6474E552, 1
NEEDED, STRING_TABLE, BIND_NOW, FLAGS, FLAGS_1 = 1, 5, 24, 30, 0x6FFFFFFB
MACHINES = {62: "x86-64", 183: "aarch64"}


class Program:
    """One file, read as the ELF specification and its GNU extensions have it."""

    def __init__(self, path):
        self.data = path.read_bytes()
        if self.data[:6] != b"\x7fELF\x02\x01":
            raise ValueError(f"{path.name} is no 64-bit little-endian ELF file")
        kind, machine = struct.unpack_from("<HH", self.data, 16)
        self.machine = MACHINES.get(machine, f"machine {machine}")
        self.position_independent = kind == 3
        self.segments = self._table(32, 54, 56, "<IIQQQQQQ", 56)
        self.dynamic = self._dynamic()

    def _table(self, offset_at, size_at, count_at, layout, least):
        (offset,) = struct.unpack_from("<Q", self.data, offset_at)
        (size,) = struct.unpack_from("<H", self.data, size_at)
        (count,) = struct.unpack_from("<H", self.data, count_at)
        if count and size < least:
            raise ValueError("a table of the ELF file has entries that are too short")
        try:
            return [struct.unpack_from(layout, self.data, offset + size * index) for index in range(count)]
        except struct.error as error:
            raise ValueError(f"the ELF file is cut off: {error}") from error

    def _dynamic(self):
        entries = []
        for segment in self.segments:
            if segment[0] == DYNAMIC:
                start, length = segment[2], segment[5]
                for at in range(start, start + length, 16):
                    entries.append(struct.unpack_from("<QQ", self.data, at))
        return entries

    def _flag(self, tag):
        return next((value for found, value in self.dynamic if found == tag), 0)

    @property
    def interpreter(self):
        return any(segment[0] == INTERPRETER for segment in self.segments)

    @property
    def needed(self):
        """The names of the shared libraries that it needs."""
        address = self._flag(STRING_TABLE)
        names = []
        for tag, value in self.dynamic:
            if tag == NEEDED:
                start = self._offset(address + value)
                names.append(self.data[start : self.data.index(b"\0", start)].decode())
        return names

    def _offset(self, address):
        for kind, _, offset, virtual, _, size, _, _ in self.segments:
            if kind == LOAD and virtual <= address < virtual + size:
                return offset + address - virtual
        raise ValueError(f"no segment holds the address {address:#x}")

    @property
    def stack_not_executable(self):
        flags = [segment[1] for segment in self.segments if segment[0] == STACK]
        return bool(flags) and not any(flag & EXECUTABLE for flag in flags)

    @property
    def relro(self):
        return any(segment[0] == RELRO for segment in self.segments)

    @property
    def bind_now(self):
        tags = {tag for tag, _ in self.dynamic}
        return BIND_NOW in tags or bool(self._flag(FLAGS) & 8) or bool(self._flag(FLAGS_1) & 1)
