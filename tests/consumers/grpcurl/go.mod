module consumers

go 1.22

require github.com/fullstorydev/grpcurl v1.9.3
