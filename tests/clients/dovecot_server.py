"""A Dovecot of its own for a test: throw-away configuration and Maildir in a temporary folder, IMAP on a free loopback port.

Needs Debian's dovecot-imapd (or another Dovecot 2.3) and nothing of its configuration; tests are skipped without it. Runs as
the user that runs the test. As root, which Dovecot lets read no mail, its processes run as the packages' users and the mail
belongs to nobody.
"""

import atexit
import getpass
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

import imap_wire
import wire
from twinpost_server import free_port, run, skip

CONFIG = """
protocols = imap
listen = 127.0.0.1
base_dir = {folder}/run
state_dir = {folder}/state
instance_name = twinpost-test
log_path = {folder}/log
ssl = no
disable_plaintext_auth = no
default_internal_user = {internal}
default_internal_group = {internal_group}
default_login_user = {login}
first_valid_uid = {uid}
first_valid_gid = 0
mail_location = maildir:{folder}/mail:INDEX=MEMORY
mail_plugins =
namespace inbox {{
  inbox = yes
  separator = /
}}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/home
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service imap {{
  chroot =
}}
"""


def need_dovecot():
    if dovecot_program() is None:
        skip("Dovecot is not installed (package dovecot-imapd)")


def dovecot_program():
    return shutil.which("dovecot", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def group_of(user):
    import grp

    return grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name


class Dovecot:
    """`messages` (octets, CRLF line ends) are INBOX, in their order."""

    USER, PASSWORD = "ann", "secret"

    def __init__(self, messages):
        need_dovecot()
        self.folder = tempfile.mkdtemp(prefix="twinpost-dovecot-")
        os.chmod(self.folder, 0o755)
        atexit.register(self.remove)
        self.process = None
        self.write_mail(messages)
        self.start()

    def write_mail(self, messages):
        for name in ("mail/cur", "mail/new", "mail/tmp", "home", "state"):
            os.makedirs(os.path.join(self.folder, name))
        # Dovecot gives UIDs in the order of the names' numbers.
        for index, octets in enumerate(messages):
            path = os.path.join(self.folder, "mail", "cur", f"{1_000_000_000 + index}.M{index:06}P1.test:2,")
            with open(path, "wb") as file:
                file.write(octets)
            os.utime(path, (1_700_000_000, 1_700_000_000))

    def write_config(self):
        is_root = os.getuid() == 0
        me = getpass.getuser()
        mail_user = pwd.getpwnam("nobody") if is_root else pwd.getpwuid(os.getuid())
        if is_root:
            for folder, folders, files in os.walk(self.folder):
                for name in folders + files:
                    os.chown(os.path.join(folder, name), mail_user.pw_uid, mail_user.pw_gid)
        internal = "dovecot" if is_root else me
        login = "dovenull" if is_root else me
        self.port = free_port()
        path = os.path.join(self.folder, "dovecot.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(folder=self.folder, internal=internal, internal_group=group_of(internal),
                                     login=login, uid=mail_user.pw_uid, gid=mail_user.pw_gid, port=self.port,
                                     password=self.PASSWORD))
        return path

    def start(self):
        config = self.write_config()
        self.process = subprocess.Popen([dovecot_program(), "-F", "-c", config], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 30
        while True:
            try:
                wire.connect(("127.0.0.1", self.port), 1.0).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f"Dovecot does not answer\n{self.log()}") from None
                time.sleep(0.05)

    def log(self):
        try:
            with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as file:
                return file.read()[-4000:]
        except FileNotFoundError:
            return "(no log)"

    def version(self):
        return run([dovecot_program(), "--version"]).split()[0]

    def connect(self):
        imap = imap_wire.Imap(("127.0.0.1", self.port))
        imap.login(self.USER, self.PASSWORD)
        return imap

    def remove(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is not None:
            print(self.log(), flush=True)
        self.remove()
