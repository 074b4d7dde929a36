"""Headless Chromium by the W3C's WebDriver protocol: as much of it as the tests use."""

import base64
import json
import os
import subprocess
import time
import urllib.error
import urllib.request

from twinpost_server import free_port

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # WebDriver section 12.1: the key that an element's reference has in JSON


class BrowserError(Exception):
    pass


class Browser:
    """Ends with close(). Reaches 127.0.0.1 and localhost only."""

    def __init__(self, folder):
        self.port = free_port()
        self.log = os.path.join(folder, "chromedriver.log")
        self.session = None
        with open(self.log, "wb") as log:
            self.driver = subprocess.Popen(["chromedriver", f"--port={self.port}"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                           env={**os.environ, "HOME": folder, "TMPDIR": folder})
        self.wait(self.is_ready, "chromedriver answers")
        arguments = ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
                     "--disable-component-update", "--disable-sync", "--disable-extensions", "--window-size=1400,1000",
                     f"--user-data-dir={os.path.join(folder, 'profile')}",
                     "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"]
        if os.geteuid() == 0:
            arguments.append("--no-sandbox")  # Chromium's sandbox refuses root
        options = {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": {"args": arguments}}}
        self.session = self.request("POST", "/session", {"capabilities": options})["sessionId"]

    def request(self, method, path, body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as refused:
            value = json.load(refused)["value"]
            raise BrowserError(f"{value['error']}: {value['message'].splitlines()[0]}") from None

    def is_ready(self):
        try:
            return self.request("GET", "/status")["ready"]
        except OSError:
            if self.driver.poll() is not None:
                raise BrowserError(f"chromedriver ended with status {self.driver.returncode}, see {self.log}") from None
            return False

    def command(self, path, body=None):
        return self.request("POST", f"/session/{self.session}/{path}", body or {})

    def get(self, path):
        return self.request("GET", f"/session/{self.session}/{path}")

    def wait(self, condition, what, seconds=30.0):
        deadline = time.monotonic() + seconds
        while not (result := condition()):
            if time.monotonic() > deadline:
                raise BrowserError(f"not within {seconds:.0f} s: {what}")
            time.sleep(0.05)
        return result

    def open(self, url):
        self.command("url", {"url": url})

    def url(self):
        return self.get("url")

    def find_all(self, css):
        return [element[ELEMENT] for element in self.command("elements", {"using": "css selector", "value": css})]

    def find(self, css):
        """The first such element, as soon as there is one."""
        return self.wait(lambda: self.find_all(css), f"an element {css}")[0]

    def text(self, element):
        return self.get(f"element/{element}/text")

    def texts(self, css):
        return [self.text(element) for element in self.find_all(css)]

    def click(self, element):
        self.command(f"element/{element}/click")

    def type(self, element, text):
        self.command(f"element/{element}/value", {"text": text})

    def run(self, script, *arguments):
        """The body of a function of the page's JavaScript."""
        return self.command("execute/sync", {"script": script, "args": list(arguments)})

    def screenshot(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.get("screenshot")))

    def close(self):
        try:
            if self.session is not None:
                self.request("DELETE", f"/session/{self.session}")
        except (OSError, BrowserError):
            pass  # the browser may be gone already; what matters is that the driver ends
        finally:
            self.driver.terminate()
            try:
                self.driver.wait(10)
            except subprocess.TimeoutExpired:
                self.driver.kill()
                self.driver.wait()
