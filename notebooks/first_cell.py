# On Colab, this fetches the book's package; anywhere else it does nothing.
import importlib.util
import sys

if "google.colab" in sys.modules and not importlib.util.find_spec("snnlib"):
    import subprocess

    # Colab does not tell a notebook where it was opened from
    asked = input("Address of this browser tab, or of the repository on GitHub: ")
    address, _, rest = asked.strip().partition("/blob/")
    address = address.replace("colab.research.google.com/github/", "github.com/")
    branch = ["-b", rest.split("/")[0].replace("%2F", "/")] if rest else []
    clone = ["git", "clone", "--depth", "1", *branch, address, "book"]
    subprocess.run(clone, check=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "--editable", "book[notebooks,peers]"], check=True)
    sys.path.insert(0, "book")  # pip's .pth file is read at a kernel's start only
