"""What cannot start says so: one clear line on stderr, another exit status than 0, and nothing changed."""

import ctypes
import json
import os
import socket
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "clients"))

from twinpost_server import Server, make_certificate, message, need, program  # noqa: E402

ACCOUNTS = {"ann@example.org": "secret"}
FORMAT = (3).to_bytes(4, "big")  # store/tables.h, kFormatVersion


class Startup(unittest.TestCase):
    def setUp(self):
        self.server = Server(ACCOUNTS, start=False)
        self.addCleanup(self.server.remove)

    def refusal(self, *mentions):
        """Starts the daemon, which must give up with one line that mentions all these (and the config when there is no other
        place to look at). Returns the line."""
        try:
            done = subprocess.run([program("TWINPOSTD", "twinpostd"), "--config", self.server.config_path],
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)
        except subprocess.TimeoutExpired:
            self.fail(f"twinpostd started, or hung; it should have refused for {mentions}")
        self.assertGreater(done.returncode, 0, f"a failed start must show in the exit status\n{done.stderr.decode()}")
        lines = done.stderr.decode().splitlines()
        self.assertEqual(len(lines), 1, f"one line was expected:\n{done.stderr.decode()}")
        self.assertEqual(done.stdout, b"")
        for mention in mentions:
            self.assertIn(mention.lower(), lines[0].lower())
        print(f"  {lines[0].replace(self.server.folder, 'FOLDER')}", flush=True)
        return lines[0]

    def with_settings(self, settings):
        self.server.settings = settings
        self.server.write_config()

    def with_config_text(self, text):
        with open(self.server.config_path, "w", encoding="utf-8") as file:
            file.write(text)

    def with_accounts_text(self, text):
        with open(self.server.accounts_path, "w", encoding="utf-8") as file:
            file.write(text)

    def test_no_configuration_file(self):
        os.unlink(self.server.config_path)
        self.refusal("twinpost.json", "no such file")

    def test_a_folder_in_place_of_the_configuration(self):
        os.unlink(self.server.config_path)
        os.mkdir(self.server.config_path)
        self.refusal("twinpost.json")

    def test_broken_json(self):
        self.with_config_text('{"version": 1,\n "data": }')
        self.refusal("twinpost.json", "line 2")

    def test_an_empty_configuration_file(self):
        self.with_config_text("")
        self.refusal("twinpost.json")

    def test_an_unknown_key(self):
        self.with_settings({"listen": {"pop3ss": []}})
        self.refusal("listen.pop3ss", "pop3s")

    def test_a_wrong_type(self):
        self.with_settings({"listen": {"pop3": "127.0.0.1:110"}})
        self.refusal("listen.pop3", "list")

    def test_a_wrong_type_of_a_limit(self):
        self.with_settings({"limits": {"connections": "many"}})
        self.refusal("limits.connections")

    def test_a_negative_limit(self):
        self.with_settings({"limits": {"connections": -1}})
        self.refusal("limits.connections")

    def test_a_newer_version_of_the_configuration(self):
        self.with_settings({"version": 2})
        self.refusal("version")

    def test_no_version_number(self):
        self.with_settings({"version": "1"})
        self.refusal("version")

    def test_an_address_that_is_none(self):
        self.with_settings({"listen": {"pop3": ["localhost"]}})
        self.refusal("listen.pop3", "localhost")

    def test_an_unknown_word(self):
        self.with_settings({"plaintext_login": "sometimes"})
        self.refusal("plaintext_login", "loopback")

    def test_nesting_without_end(self):
        self.with_config_text("[" * 200_000)
        self.refusal("twinpost.json")

    def test_pop3s_without_a_certificate(self):
        self.with_settings({"tls": None})
        self.refusal("pop3s", "certificate")

    def test_a_missing_certificate(self):
        self.with_settings({"tls": {"certificate": "/nonexistent/server.crt"}})
        self.refusal("/nonexistent/server.crt", "no such file")

    def test_a_certificate_that_is_none(self):
        with open(self.server.certificate, "w", encoding="utf-8") as file:
            file.write("this is not PEM\n")
        self.refusal("server.crt")

    def test_a_key_that_does_not_fit(self):
        _, other_key = make_certificate(self.server.folder, prefix="other")
        self.with_settings({"tls": {"key": other_key}})
        self.refusal("other.key", "fit")

    def test_no_accounts_file(self):
        os.unlink(self.server.accounts_path)
        self.refusal("accounts.json", "no such file")

    def test_an_unreadable_accounts_file(self):
        if os.geteuid() == 0:
            os.unlink(self.server.accounts_path)
            os.mkdir(self.server.accounts_path)  # root may read every file, but no folder as one
        else:
            os.chmod(self.server.accounts_path, 0)
        self.refusal("accounts.json")

    def test_an_account_with_a_wrong_type(self):
        self.with_accounts_text(json.dumps({"version": 1, "accounts": {"ann@example.org": {"password": 7}}}))
        self.refusal("accounts.json", "ann@example.org", "password")

    def test_an_account_with_an_unknown_key(self):
        self.with_accounts_text(json.dumps(
            {"version": 1, "accounts": {"ann@example.org": {"password": "{PLAIN}x", "pasword": "{PLAIN}x"}}}))
        self.refusal("accounts.json", "pasword")

    def test_a_password_of_an_unknown_scheme(self):
        self.with_accounts_text(json.dumps({"version": 1, "accounts": {"ann@example.org": {"password": "{ROT13}frperg"}}}))
        line = self.refusal("accounts.json", "ann@example.org")
        self.assertNotIn("frperg", line, "no password in a message")

    def test_an_alias_that_two_accounts_have(self):
        account = {"password": "{PLAIN}x", "aliases": ["info@example.org"]}
        self.with_accounts_text(json.dumps({"version": 1, "accounts": {"ann@example.org": account, "bob@example.org": account}}))
        self.refusal("accounts.json", "info@example.org")

    def test_a_port_in_use(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            self.with_settings({"listen": {"pop3": [f"127.0.0.1:{port}"]}})
            self.refusal(f"127.0.0.1:{port}", "listens there")

    def test_a_data_folder_that_cannot_be_made(self):
        with open(self.server.data, "w", encoding="utf-8"):
            pass
        self.refusal(self.server.data)

    def test_a_data_folder_that_a_running_server_has(self):
        self.server.start()
        second = Server(ACCOUNTS, {"data": self.server.data}, start=False)
        self.addCleanup(second.remove)
        self.server, first = second, self.server
        self.refusal(first.data, "has this store open")
        first.deliver("ann@example.org", message("Undisturbed"))
        self.assertEqual(len(first.maildrop("ann@example.org", "secret")), 1)
        first.stop()

    def test_a_data_folder_of_a_newer_format(self):
        self.server.start()
        self.server.deliver("ann@example.org", message("From the future"))
        self.server.stop()
        change_meta(self.server.data, b"format", FORMAT, (1000).to_bytes(4, "big"))
        self.refusal(self.server.data, "1000")
        change_meta(self.server.data, b"format", (1000).to_bytes(4, "big"), FORMAT)
        self.server.start()
        self.assertEqual(len(self.server.maildrop("ann@example.org", "secret")), 1, "nothing was lost by the refusal")
        self.server.stop()

    def damaged(self, damage):
        self.server.start()
        self.server.deliver("ann@example.org", message("In a file that is damaged then", "x\r\n" * 100_000))
        self.server.stop()
        with open(os.path.join(self.server.data, "data.mdb"), "r+b") as file:
            damage(file)
        return self.refusal(self.server.data)

    def test_a_data_file_that_is_none(self):
        self.damaged(lambda file: file.write(b"not an environment".ljust(8192, b"\0")))

    def test_a_data_file_that_is_cut_off(self):
        self.damaged(lambda file: file.truncate(20_000))

    def test_an_empty_data_file(self):
        self.damaged(lambda file: file.truncate(0))


def change_meta(folder, key, before, after):
    """Changes one value in the table `meta` of a store that is not running, as a newer version would have left it."""
    lmdb = ctypes.CDLL("liblmdb.so.0")

    class Value(ctypes.Structure):
        _fields_ = [("size", ctypes.c_size_t), ("data", ctypes.c_void_p)]

    def call(function, *arguments):
        status = getattr(lmdb, function)(*arguments)
        if status != 0:
            raise AssertionError(f"{function}: {status}")

    environment, transaction, table, value = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_uint(), Value()
    call("mdb_env_create", ctypes.byref(environment))
    call("mdb_env_set_maxdbs", environment, 64)
    call("mdb_env_set_mapsize", environment, ctypes.c_size_t(1 << 30))
    call("mdb_env_open", environment, folder.encode(), 0, 0o600)
    call("mdb_txn_begin", environment, None, 0, ctypes.byref(transaction))
    call("mdb_dbi_open", transaction, b"meta", 0, ctypes.byref(table))
    name = Value(len(key), ctypes.cast(key, ctypes.c_void_p))
    call("mdb_get", transaction, table, ctypes.byref(name), ctypes.byref(value))
    found = ctypes.string_at(value.data, value.size)
    if found != before:
        raise AssertionError(f"{key} is {found}, not {before}")
    call("mdb_put", transaction, table, ctypes.byref(name), ctypes.byref(Value(len(after), ctypes.cast(after, ctypes.c_void_p))), 0)
    call("mdb_txn_commit", transaction)
    lmdb.mdb_env_close(environment)


if __name__ == "__main__":
    need("openssl")
    unittest.main(verbosity=2)
