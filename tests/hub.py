"""A local stand-in for the Hugging Face hub: as much of its HTTP interface as publishing and loading take."""

import base64
import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "hf_of_a_test"


@dataclass
class Repository:
    """What is in a repository, at one revision."""

    is_private: bool = False
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def commit(self):
        return hashlib.sha1(b"".join(name.encode() + data for name, data in sorted(self.files.items()))).hexdigest()


class Hub:
    """Serves repositories, by their names USER/NAME, until the end of the block.

    Attributes:
      repositories: by name.
      requests: what was asked for, as (method, path).
    """

    def __init__(self):
        self.repositories: dict[str, Repository] = {}
        self.requests: list[tuple[str, str]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self}))

    @property
    def address(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def log_message(self, *_):
        """Stays silent."""

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        self.hub.requests.append((self.command, self.path))
        if self.path.startswith("/api/models/"):
            self._describe("/".join(self.path.split("/")[3:5]))
            return
        user, name, kind, revision, file = (*self.path.lstrip("/").split("/", 4), "", "", "", "")[:5]
        repository = self.hub.repositories.get(f"{user}/{name}")
        if kind != "resolve" or repository is None or (repository.is_private and not self._is_known()):
            self._refuse(404 if self._is_known() else 401, "RepoNotFound")
        elif revision not in ("main", repository.commit):
            self._refuse(404, "RevisionNotFound")
        elif file not in repository.files:
            self._refuse(404, "EntryNotFound", repository.commit)
        else:
            data = repository.files[file]
            told = {"ETag": f'"{hashlib.sha1(data).hexdigest()}"', "X-Repo-Commit": repository.commit}
            self._answer(200, data, told)

    def do_POST(self):
        self.hub.requests.append(("POST", self.path))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/api/validate-yaml":
            self._answer_json({"errors": [], "warnings": []})
        elif not self._is_known():
            self._refuse(401, "Unauthorized")
        elif self.path == "/api/repos/create":
            self._create(json.loads(body))
        elif "/preupload/" in self.path:
            files = [{"path": file["path"], "uploadMode": "regular"} for file in json.loads(body)["files"]]
            self._answer_json({"files": [{**file, "shouldIgnore": False} for file in files]})
        elif "/commit/" in self.path:
            self._commit(body)
        else:
            self._refuse(404, "NotFound")

    def _create(self, asked):
        name = f"{asked['organization']}/{asked['name']}"
        if name.startswith("somebody/"):
            self._refuse(403, "Forbidden")
        elif name in self.hub.repositories:
            self._answer_json(
                {"error": "You already created this model repo", "url": f"{self.hub.address}/{name}"}, 409
            )
        else:
            self.hub.repositories[name] = Repository(asked.get("visibility") == "private")
            self._answer_json({"url": f"{self.hub.address}/{name}"})

    def _describe(self, name):
        repository = self.hub.repositories.get(name)
        if repository is None or not self._is_known():
            self._refuse(404 if self._is_known() else 401, "RepoNotFound")
            return
        siblings = [{"rfilename": file} for file in (".gitattributes", *repository.files)]
        told = {"id": name, "modelId": name, "private": repository.is_private, "siblings": siblings, "tags": []}
        self._answer_json({**told, "sha": repository.commit, "downloads": 0, "likes": 0})

    def _commit(self, body):
        name = "/".join(self.path.split("/")[3:5])
        for line in map(json.loads, body.decode().splitlines()):
            if line["key"] == "file":
                self.hub.repositories[name].files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
        commit = self.hub.repositories[name].commit
        self._answer_json({"commitUrl": f"{self.hub.address}/{name}/commit/{commit}", "commitOid": commit})

    def _is_known(self):
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def _refuse(self, code, error, commit=None):
        self._answer(code, b"", {"X-Error-Code": error} | ({"X-Repo-Commit": commit} if commit else {}))

    def _answer_json(self, told, code=200):
        self._answer(code, json.dumps(told).encode(), {"Content-Type": "application/json"})

    def _answer(self, code, data, told):
        self.send_response(code)
        for name, value in (told | {"Content-Length": str(len(data))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
