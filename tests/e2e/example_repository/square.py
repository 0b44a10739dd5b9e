"""What the repository is for."""

import ray

ray.init()


@ray.remote
def square(number: int) -> int:
    return number**2


print("squares:", sum(ray.get([square.remote(number) for number in range(10)])))
