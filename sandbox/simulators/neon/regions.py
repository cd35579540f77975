"""Where a project may lie: id, name and place of each region."""

from collections.abc import Mapping
from dataclasses import dataclass

DEFAULT_REGION = "aws-us-east-1"


@dataclass(frozen=True)
class Region:
    """One region, with its rough latitude and longitude."""

    id: str
    name: str
    latitude: str
    longitude: str


REGIONS: Mapping[str, Region] = {
    region.id: region
    for region in (
        Region("aws-us-east-1", "AWS US East 1 (N. Virginia)", "38.13", "-78.45"),
        Region("aws-us-east-2", "AWS US East 2 (Ohio)", "39.96", "-83.00"),
        Region("aws-us-west-2", "AWS US West 2 (Oregon)", "46.15", "-123.88"),
        Region("aws-eu-central-1", "AWS Europe Central 1 (Frankfurt)", "50.12", "8.68"),
        Region("aws-eu-west-2", "AWS Europe West 2 (London)", "51.51", "-0.13"),
        Region("aws-ap-southeast-1", "AWS Asia Pacific 1 (Singapore)", "1.37", "103.80"),
        Region("aws-ap-southeast-2", "AWS Asia Pacific 2 (Sydney)", "-33.87", "151.21"),
        Region("aws-sa-east-1", "AWS South America East 1 (São Paulo)", "-23.55", "-46.63"),
    )
}
