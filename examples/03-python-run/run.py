"""Has a function counted in a Run, then lets it fail, and shows what comes back of either."""

from pathlib import Path

import kruntimes

SOURCE = Path(__file__).with_name("words.py").read_text()


def main() -> None:
    """Run it twice against the cluster that the kubeconfig names."""
    with kruntimes.Client() as client:
        good = client.run("python", source=SOURCE, entrypoint=":count", args=["to be or not to be"])
        print("value:", good.result(timeout=60).value)

        bad = client.run("python", source=SOURCE, entrypoint=":count", args=[""])
        result = bad.result(timeout=60, check=False)
        assert result.exception is not None
        print("exception:", result.exception.type, "-", result.exception.message)
        print(result.exception.trace)


if __name__ == "__main__":
    main()
