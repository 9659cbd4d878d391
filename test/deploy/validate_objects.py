"""Reads Kubernetes objects as YAML and prints what the API's own schemas find. Run with the Python of ./dev setup --deploy."""

import sys

import kubernetes_validate
import yaml


def main():
    faults = 0
    for each in yaml.load_all(sys.stdin, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        if each is None:
            continue
        try:
            kubernetes_validate.validate(each, sys.argv[1], strict=True)
        except Exception as error:  # every kind of fault has a class of its own
            faults += 1
            print(f"{each.get('kind')}/{each.get('metadata', {}).get('name')}: {getattr(error, 'message', error)}")
    sys.exit(1 if faults else 0)


main()
