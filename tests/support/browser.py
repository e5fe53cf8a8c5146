"""Pages in a headless Chromium, over the pipe of its developers' protocol: what a reader would see go wrong."""

import contextlib
import importlib.metadata
import itertools
import json
import os
import select
import shutil
import subprocess
import tempfile
from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MATHJAX = next(
    (
        Path(file.locate())
        for one in importlib.metadata.distributions(name="sphinx-mathjax-offline")
        for file in one.files or ()
        if file.name == "tex-chtml-full.js"
    ),
    None,
)
"""MathJax that needs no network, None where it is not installed."""
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe"),
)
PATIENCE = 300
"""Seconds of silence after which a browser is taken to hang."""
FORMULAS = r"""(async () => {
    await window.MathJax?.startup?.promise;
    const broken = "mjx-merror, mjx-mtext[style*='color: red']", faults = [];
    for (const item of window.MathJax?.startup?.document?.math ?? [])
        if (item.typesetRoot.querySelector(broken)) faults.push(`formula: ${item.math}`);
    for (const node of document.querySelectorAll(".math"))
        if (!node.querySelector("mjx-container")) faults.push(`not rendered: ${node.textContent.slice(0, 80)}`);
    const text = document.body.cloneNode(true);
    text.querySelectorAll("pre, code, script, style, svg, .math, mjx-container").forEach((node) => node.remove());
    for (const [raw] of text.textContent.matchAll(/:math:.{0,60}|\\[(\[].{0,60}|\$[^$\n]{0,60}\\[a-z]+.{0,40}/g))
        faults.push(`raw: ${raw}`);
    return faults;
})()"""
"""What is wrong with the formulas of a page, once they are set: errors of MathJax, and TeX that it did not find."""


class Browser:
    """A tab of a browser that is started for it; use it in a ``with``."""

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        folder = self.stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        (read, self.write), (self.read, write) = os.pipe(), os.pipe()
        line = [CHROMIUM, *QUIET, f"--user-data-dir={folder}", "about:blank"]
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{read} 4>&{write}', "chromium", *line],
            pass_fds=(read, write),
            stderr=subprocess.DEVNULL,
        )
        self.stack.callback(self.process.wait)
        self.stack.callback(self.process.kill)
        os.close(read), os.close(write)
        self.told, self.numbers, self.events, self.session = b"", itertools.count(1), [], {}
        tab = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = {"sessionId": self.ask("Target.attachToTarget", targetId=tab, flatten=True)["sessionId"]}
        for domain in ("Page", "Runtime", "Log"):
            self.ask(f"{domain}.enable")
        return self

    def __exit__(self, *error):
        self.stack.close()
        os.close(self.write), os.close(self.read)

    def message(self):
        """The next message of the browser."""
        while b"\0" not in self.told:
            if not select.select([self.read], [], [], PATIENCE)[0]:
                raise TimeoutError(f"the browser has said nothing for {PATIENCE} s")
            more = os.read(self.read, 1 << 20)
            if not more:
                raise RuntimeError("the browser has ended")
            self.told += more
        first, _, self.told = self.told.partition(b"\0")
        return json.loads(first)

    def ask(self, method, **params):
        """The result of a command; events that come before it are kept."""
        number = next(self.numbers)
        os.write(self.write, json.dumps({"id": number, "method": method, "params": params, **self.session}).encode())
        os.write(self.write, b"\0")
        while (told := self.message()).get("id") != number:
            self.events.append(told)
        if "error" in told:
            raise RuntimeError(told["error"]["message"])
        return told["result"]

    def wait_for(self, method):
        """Read on until an event has come."""
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self.message())

    def evaluate(self, script):
        """The value of a script, or of what it promises, on the page that is open."""
        answer = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        return answer["result"].get("value")

    def faults(self, path):
        """What a reader of a page would see go wrong: errors on the console, and formulas that are none."""
        self.events.clear()
        self.ask("Page.navigate", url=path.resolve().as_uri())
        self.wait_for("Page.loadEventFired")
        formulas = self.evaluate(FORMULAS)
        return [line for event in self.events for line in console(event)] + formulas


def console(event):
    """The errors in an event: thrown, written to the console, or of a file that did not load."""
    params = event.get("params", {})
    if event.get("method") == "Runtime.exceptionThrown":
        details = params["exceptionDetails"]
        yield f"thrown: {details.get('exception', {}).get('description', details['text'])}"
    elif event.get("method") == "Runtime.consoleAPICalled" and params["type"] in ("error", "assert"):
        yield "console: " + " ".join(str(part.get("value", part.get("description"))) for part in params["args"])
    elif event.get("method") == "Log.entryAdded" and params["entry"]["level"] == "error":
        yield f"log: {params['entry']['text']} {params['entry'].get('url', '')}"
