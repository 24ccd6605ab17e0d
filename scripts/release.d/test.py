"""What scripts/test checks of the release without building one: python3 scripts/release.d/test.py"""

import hashlib
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from loader import load  # noqa: E402

oci = load(HERE.parent / "oci-image")
check = load(HERE / "check")
PEM = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def image(*binaries, certificates=PEM):
    return oci.build("1.2.3", 1_700_000_000, "abc", certificates, list(binaries))


def members(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {m.name: tar.extractfile(m).read() for m in tar.getmembers() if m.isreg()}


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def file(self, name, data):
        (self.folder / name).write_bytes(data)
        return self.folder / name


class Image(Folder):
    def test_the_same_input_gives_the_same_bytes(self):
        self.assertEqual(image(("amd64", b"program")), image(("amd64", b"program")))
        self.assertNotEqual(image(("amd64", b"program")), image(("amd64", b"Program")))

    def test_docker_and_oci_find_the_same_image_by_the_id_that_is_the_configs_digest(self):
        data = image(("amd64", b"program"))
        files = members(data)
        (docker,) = json.loads(files["manifest.json"])
        (entry,) = json.loads(files["index.json"])["manifests"]
        manifest = json.loads(files["blobs/sha256/" + entry["digest"][7:]])
        config = files[docker["Config"]]
        self.assertEqual(manifest["config"]["digest"], "sha256:" + hashlib.sha256(config).hexdigest())
        (seen,) = oci.read(self.file("image.tar", data))
        self.assertEqual(seen["id"], manifest["config"]["digest"])
        self.assertEqual(docker["RepoTags"], ["vault-plugin-secrets-astra:1.2.3"])

    def test_it_holds_the_program_and_the_certificates_as_they_were(self):
        (seen,) = oci.read(self.file("image.tar", image(("arm64", b"program"))))
        files = {name: data for name, data in seen["files"].items() if data is not None}
        self.assertEqual(files, {"vault-plugin-secrets-astra": b"program", "etc/ssl/certs/ca-certificates.crt": PEM})
        self.assertEqual(seen["config"]["User"], "65532")
        self.assertEqual(seen["config"]["Entrypoint"], ["/vault-plugin-secrets-astra"])
        self.assertEqual(seen["architecture"], "arm64")

    def test_an_index_has_each_architecture_and_nothing_for_docker(self):
        data = image(("amd64", b"one"), ("arm64", b"two"))
        self.assertNotIn("manifest.json", members(data))
        seen = oci.read(self.file("image.tar", data))
        self.assertEqual([i["architecture"] for i in seen], ["amd64", "arm64"])
        alone = oci.read(self.file("alone.tar", image(("arm64", b"two"))))
        self.assertEqual(seen[1]["id"], alone[0]["id"])

    def test_a_bit_that_changed_anywhere_in_a_blob_is_found(self):
        data = image(("amd64", bytes(range(256)) * 40))
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            blobs = [m for m in tar.getmembers() if m.name.startswith("blobs/sha256/")]
        self.assertEqual(len(blobs), 3)
        for blob in blobs:
            broken = bytearray(data)
            broken[blob.offset_data + blob.size // 2] ^= 1
            with self.assertRaises(oci.Broken):
                oci.read(self.file("image.tar", bytes(broken)))


class Rules(Folder):
    def rule(self, rule, *arguments):
        with self.assertRaises(check.Failed) as failure:
            rule(*arguments)
        return str(failure.exception)

    def test_a_foreign_certificate_in_an_image_is_found(self):
        name = f"{check.NAME}_{check.version()}_linux_amd64"
        self.file(name, b"program")
        foreign = PEM.replace(b"AAAA", b"BBBB")
        good = self.file("good.tar", image(("amd64", b"program")))
        check.image_holds(good, self.folder, {PEM})
        bad = self.file("bad.tar", image(("amd64", b"program"), certificates=PEM + foreign))
        self.assertIn("1 certificates are not of", self.rule(check.image_holds, bad, self.folder, {PEM}))
        other = self.file("other.tar", image(("amd64", b"another")))
        self.assertIn("not the bare binary", self.rule(check.image_holds, other, self.folder, {PEM}))

    def test_folders_of_a_builder_are_found_and_paths_of_the_engine_are_not(self):
        check.anonymous(self.file("good", b"v1/rotation/root/x\0/tmp/go-plugin-container/s\0/crates/tokio"))
        for path in (b"/root/.cargo/registry", b"=/home/ann/project/src/lib.rs", b"at /tmp/tmp.x/source"):
            self.assertIn("it names", self.rule(check.anonymous, self.file("bad", b"\0" + path + b"\0")))

    def test_one_changed_bit_does_not_pass_the_sums(self):
        self.file("a", b"content")
        self.file("SHA256SUMS", f"{hashlib.sha256(b'content').hexdigest()}  a\n".encode())
        check.sums(self.folder, {"a", "SHA256SUMS"})
        self.file("a", b"contenu")
        self.assertIn("another file", self.rule(check.sums, self.folder, {"a", "SHA256SUMS"}))

    def test_a_program_that_needs_a_library_is_not_static(self):
        if sys.platform != "linux":
            self.skipTest("needs an ELF program")
        shared = check.Program(pathlib.Path(os.path.realpath("/bin/sh")))
        self.assertIn("it needs", self.rule(check.static, shared))
        self.assertTrue(any(name.startswith("libc.") for name in shared.needed), shared.needed)
        cut = self.file("cut", pathlib.Path("/bin/sh").read_bytes()[:70])
        with self.assertRaises(ValueError):
            check.Program(cut)


class Signature(Folder):
    def sign(self, key):
        command = [str(HERE / "sign"), str(self.folder), str(key)]
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)

    def setUp(self):
        super().setUp()
        if not shutil.which("minisign"):
            self.skipTest("needs minisign")
        self.file("SHA256SUMS", b"0123  a\n")
        self.signature = self.folder / "SHA256SUMS.minisig"

    def key(self, name):
        secret, public = self.folder / f"{name}.key", self.folder / f"{name}.pub"
        subprocess.run(["minisign", "-G", "-W", "-s", secret, "-p", public], stdout=subprocess.DEVNULL, check=True)
        return secret

    def test_a_trial_leaves_nothing(self):
        done = self.sign("trial")
        self.assertEqual((done.returncode, [f.name for f in self.folder.iterdir()]), (0, ["SHA256SUMS"]), done.stdout)

    def test_a_signature_that_the_public_key_does_not_verify_is_removed(self):
        key = self.key("mine")
        self.assertEqual(self.sign(key).returncode, 0)
        self.assertTrue(self.signature.exists())
        self.key("other").with_suffix(".pub").replace(key.with_suffix(".pub"))
        self.assertIn("is not the public key", self.sign(key).stdout)
        self.assertFalse(self.signature.exists())


def flags_of(folder, target, **more):
    """The variables that `build` sets for a target."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1", "ASTRA_ZIG": "/nowhere", **more}
    environment.setdefault("RUSTUP_HOME", str(pathlib.Path.home() / ".rustup"))
    command = [str(HERE / "build"), "--flags", str(folder), target]
    said = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True).stdout
    return dict(line.partition("=")[::2] for line in said.splitlines() if "=" in line), said


MUSL = ("x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl")


class Flags(Folder):
    """The flags are tried on a small program: what it says of its folder must be the same everywhere."""

    def test_folders_are_renamed_for_both_compilers(self):
        (self.folder / "registry/src/mirror.example-0123").mkdir(parents=True)
        for target in MUSL:
            flags, said = flags_of(self.folder, target, CARGO_HOME=str(self.folder))
            real = os.path.realpath(self.folder)
            self.assertIn(f"--remap-path-prefix={real}/registry/src/mirror.example-0123=/crates", flags["RUSTFLAGS"])
            self.assertIn(f"--remap-path-prefix={real}=/build", flags["RUSTFLAGS"])
            self.assertIn(f"-ffile-prefix-map={real}=/build", flags["CFLAGS_" + target.replace("-", "_")])
            self.assertEqual(flags["CARGO_INCREMENTAL"], "0")
            self.assertIn("--locked --release", said)

    def compile(self, program, target, flags):
        source = self.folder / "source"
        source.mkdir(exist_ok=True)
        (source / "main.rs").write_text('fn main() { println!("{}", file!()); panic!() }\n', encoding="utf-8")
        file = os.path.realpath(source / "main.rs")
        command = ["rustc", "-C", "strip=symbols", *flags, "--target", target, "-o", program, file]
        subprocess.run(command, check=True)
        return os.path.realpath(source).encode() in program.read_bytes()

    def test_rustc_hides_the_folder_with_them(self):
        target = "x86_64-unknown-linux-gnu"
        (self.folder / "source").mkdir()
        flags, _ = flags_of(self.folder / "source", target)
        self.assertTrue(self.compile(self.folder / "told", target, []))
        self.assertFalse(self.compile(self.folder / "hidden", target, flags["RUSTFLAGS"].split()))

    def test_programs_for_both_processors_are_static_and_position_independent(self):
        if not shutil.which("rustup"):
            self.skipTest("needs rustup")
        command = ["rustup", "target", "list", "--installed"]
        installed = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout.split()
        for target in MUSL:
            with self.subTest(target):
                if target not in installed:
                    self.skipTest(f"needs rustup target add {target}")
                flags, _ = flags_of(self.folder, target)
                self.compile(self.folder / target, target, flags["RUSTFLAGS"].split())
                program = check.Program(self.folder / target)
                check.hardened(program)
                check.static(program)


if __name__ == "__main__":
    unittest.main()
