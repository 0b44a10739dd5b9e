"""The files of a project. A path comes from a client, so each one goes through ``rules.path_in_project``."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import shutil
import zlib
from http import HTTPStatus
from pathlib import Path
from typing import Any

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import BadHttpMessage

from cai_deploy.local_workspace import rules
from cai_deploy.local_workspace.routes.http import PROJECT, WORKSPACE, body_of, show

# What the multipart parser raises for bodies that are none.
_MALFORMED = (ValueError, AssertionError, RuntimeError, LookupError, EOFError, zlib.error, BadHttpMessage)


def _root(request: web.Request) -> Path:
    workspace = request.app[WORKSPACE]
    return workspace.home.project(workspace.require("project", request.match_info["project_id"]).id)


def _existing(request: web.Request, *, follow: bool = True) -> Path:
    # In a web path a leading slash means the project's root: clients ask for "%2F".
    path = request.match_info.get("path", "").lstrip("/")
    target = rules.path_in_project(_root(request), path or ".", follow=follow)
    if not os.path.lexists(target):
        raise rules.not_found(f"file '{path}'")
    return target


def _below_root(request: web.Request) -> Path:
    target = _existing(request, follow=False)
    if target == _root(request):
        raise rules.bad_request("Problem with field Path: the project directory itself cannot be changed")
    return target


def _entry(path: Path) -> dict[str, Any]:
    is_dir = path.is_dir()
    size = "0" if is_dir or not path.exists() else str(path.stat().st_size)
    return {"path": path.name, "is_dir": is_dir, "file_size": size}


async def list_files(request: web.Request) -> web.Response:
    """GET files/{path}: a directory's entries, or one entry for a file."""
    target = _existing(request)
    entries = sorted(target.iterdir()) if target.is_dir() else [target]
    return show({"files": [_entry(entry) for entry in entries]})


async def upload(request: web.Request) -> web.Response:
    """POST files: the name of each part is a target path. What is there already stays as it is."""
    root = _root(request)
    project = request.app[WORKSPACE].require("project", request.match_info["project_id"])
    if project.shown["creation_status"] == "creating" and project.inner["git_url"]:
        raise rules.bad_request("the project is still being created")
    if not request.content_type.startswith("multipart/"):
        raise rules.bad_request("a multipart/form-data body is expected")
    try:
        reader = await request.multipart()
        while (part := await reader.next()) is not None:
            if not isinstance(part, BodyPartReader) or not part.name:
                raise rules.bad_request("every part needs a name, which is its target path")
            # The parser cuts leading slashes off; a path that had one was meant to lead elsewhere.
            disposition = part.headers.get("Content-Disposition", "")
            target = rules.path_in_project(root, "/" if re.search(r'[\s;]name="[/\\]', disposition) else part.name)
            if target == root:
                raise rules.bad_request("Problem with field Path: a file needs a name")
            await _store(part, request.app[WORKSPACE].home.drafts / secrets.token_hex(8), target)
    except _MALFORMED as error:
        raise rules.bad_request(f"the body is not valid multipart/form-data: {error}") from None
    return web.Response()


async def put(request: web.Request) -> web.Response:
    """PUT files: what some clients send instead of POST; taken where the settings say so."""
    if not request.app[WORKSPACE].settings.put_upload:
        raise web.HTTPMethodNotAllowed("PUT", ["GET", "POST"])
    return await upload(request)


async def _store(part: BodyPartReader, draft: Path, target: Path) -> None:
    """Take a file in elsewhere and show it only once it is whole: a crash leaves no half of it in the project."""
    try:
        with draft.open("xb") as file:
            while chunk := await part.read_chunk(1 << 18):
                file.write(part.decode(chunk))
        target.parent.mkdir(parents=True, exist_ok=True)
        _link_where_free(draft, target)
    except (FileExistsError, NotADirectoryError) as error:
        raise rules.bad_request(f"Problem with field Path: {target.name} is below a file") from error
    finally:
        draft.unlink(missing_ok=True)


def _link_where_free(draft: Path, target: Path) -> None:
    """Give the draft its name, or the next free ``name(1).ext``: linking never replaces."""
    number = 0
    place = target
    while True:
        try:
            os.link(draft, place)
        except FileExistsError:
            number += 1
            ending = f"({number}){target.suffix}"
            room = rules.LONGEST_NAME - len(ending.encode())
            place = target.with_name(target.stem.encode()[:room].decode(errors="ignore") + ending)
        else:
            return


async def download(request: web.Request) -> web.StreamResponse:
    """POST files/{path}:download: the raw bytes."""
    target = _existing(request)
    if not target.is_file():
        raise rules.bad_request(f"'{target.name}' is not a file")
    return web.FileResponse(target, headers={"Content-Type": "application/octet-stream"})


async def delete(request: web.Request) -> web.Response:
    """DELETE files/{path}: a file, or a directory with all that is in it."""
    target = _below_root(request)
    if target.is_dir() and not target.is_symlink():
        await asyncio.to_thread(shutil.rmtree, target, ignore_errors=True)
    else:
        target.unlink()
    return show({})


async def rename(request: web.Request) -> web.Response:
    """PATCH files/{path} with the new path."""
    source = _below_root(request)
    path = (await body_of(request)).get("path")
    if not isinstance(path, str) or not path.strip("./"):
        raise rules.bad_request("Problem with field Path: the new path is missing")
    target = rules.path_in_project(_root(request), path)
    if os.path.lexists(target):
        raise rules.Refused(HTTPStatus.CONFLICT, f"'{path}' exists already")
    if source in target.parents:
        raise rules.bad_request(f"Problem with field Path: '{path}' is below what it renames")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)
    except (FileExistsError, NotADirectoryError):
        raise rules.bad_request(f"Problem with field Path: '{path}' is below a file") from None
    return show(_entry(target) | {"path": path})


ROUTES = [
    web.get(f"{PROJECT}/files", list_files),
    web.post(f"{PROJECT}/files", upload),
    web.put(f"{PROJECT}/files", put),
    web.post(f"{PROJECT}/files/{{path:.+}}:download", download),
    web.get(f"{PROJECT}/files/{{path:.*}}", list_files),
    web.patch(f"{PROJECT}/files/{{path:.*}}", rename),
    web.delete(f"{PROJECT}/files/{{path:.*}}", delete),
]
