#include "drone/drone.h"

int main(int argc, char** argv) { return chartly::drone::RunDrone(argc, argv); }
