"""The variables with which S3's libraries find a server of the tests."""


def access_to(s3_server: str) -> dict[str, str]:
    """Returns the store's address and credentials."""
    return {
        "AWS_ENDPOINT_URL": s3_server,
        "AWS_ACCESS_KEY_ID": "ward",
        "AWS_SECRET_ACCESS_KEY": "round",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
