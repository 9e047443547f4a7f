package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// userHeader is what the gate tells the server, and seenHeader where the server repeats it.
const (
	userHeader = "x-gatehouse-user-id"
	seenHeader = "x-seen-user"
)

// seen are the users that a request names.
func seen(ctx context.Context) metadata.MD {
	in, _ := metadata.FromIncomingContext(ctx)
	return metadata.MD{seenHeader: in.Get(userHeader)}
}

func serve() error {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := grpc.NewServer(
		grpc.UnaryInterceptor(func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
			if err := grpc.SetHeader(ctx, seen(ctx)); err != nil {
				return nil, err
			}
			return handle(ctx, request)
		}),
		grpc.StreamInterceptor(func(service any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
			if err := stream.SetHeader(seen(stream.Context())); err != nil {
				return err
			}
			return handle(service, stream)
		}))
	testgrpc.RegisterTestServiceServer(server, interop.NewTestServer())
	fmt.Println(listener.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		server.Stop()
	}()
	return server.Serve(listener)
}

// outcome is how a call ended.
type outcome struct {
	Code     int         `json:"code"`
	Message  string      `json:"message"`
	Messages int         `json:"messages"` // that came
	Header   metadata.MD `json:"header"`
	Trailer  metadata.MD `json:"trailer"`
}

// exchange is a call under way.
type exchange struct {
	client testgrpc.TestServiceClient
	out    *outcome
}

// call makes one call. The token is a bearer's; "" for none.
func call(ctx context.Context, address, token, name string) (*outcome, error) {
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	defer func() { _ = connection.Close() }()
	ctx = metadata.AppendToOutgoingContext(ctx, userHeader, "mallory")
	if token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	}
	e := &exchange{testgrpc.NewTestServiceClient(connection), &outcome{}}
	kinds := map[string]func(context.Context) error{
		"unary": e.unary, "failing": e.failing, "server-streaming": e.serverStreaming, "client-streaming": e.clientStreaming,
		"bidirectional": e.bidirectional, "cancelled": e.cancelled,
	}
	kind, ok := kinds[name]
	if !ok {
		return nil, fmt.Errorf("unknown call %q", name)
	}
	ended := status.Convert(kind(ctx))
	e.out.Code, e.out.Message = int(ended.Code()), ended.Message()
	return e.out, nil
}

func payload(n int) *testgrpc.Payload { return &testgrpc.Payload{Body: make([]byte, n)} }

func (e *exchange) unary(ctx context.Context) error {
	_, err := e.client.UnaryCall(ctx, &testgrpc.SimpleRequest{ResponseSize: 10, Payload: payload(10)}, grpc.Header(&e.out.Header), grpc.Trailer(&e.out.Trailer))
	if err == nil {
		e.out.Messages++
	}
	return err
}

// failing has the server answer with status 5, NOT_FOUND.
func (e *exchange) failing(ctx context.Context) error {
	_, err := e.client.UnaryCall(ctx, &testgrpc.SimpleRequest{ResponseStatus: &testgrpc.EchoStatus{Code: 5, Message: "nothing there"}},
		grpc.Header(&e.out.Header), grpc.Trailer(&e.out.Trailer))
	return err
}

func (e *exchange) serverStreaming(ctx context.Context) error {
	request := &testgrpc.StreamingOutputCallRequest{}
	for range 5 {
		request.ResponseParameters = append(request.ResponseParameters, &testgrpc.ResponseParameters{Size: 100})
	}
	stream, err := e.client.StreamingOutputCall(ctx, request)
	if err != nil {
		return err
	}
	defer e.finish(stream)
	for {
		if _, err := stream.Recv(); err != nil {
			return ended(err)
		}
		e.out.Messages++
	}
}

func (e *exchange) clientStreaming(ctx context.Context) error {
	stream, err := e.client.StreamingInputCall(ctx)
	if err != nil {
		return err
	}
	defer e.finish(stream)
	for range 5 {
		if err := stream.Send(&testgrpc.StreamingInputCallRequest{Payload: payload(100)}); err != nil {
			break // the reason comes with the answer
		}
	}
	if _, err := stream.CloseAndRecv(); err != nil {
		return err
	}
	e.out.Messages++
	return nil
}

// bidirectional sends a message each half second, for two seconds.
func (e *exchange) bidirectional(ctx context.Context) error {
	stream, err := e.client.FullDuplexCall(ctx)
	if err != nil {
		return err
	}
	defer e.finish(stream)
	for range 5 {
		if err := e.pingPong(stream); err != nil {
			return ended(err)
		}
		time.Sleep(500 * time.Millisecond)
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	_, err = stream.Recv()
	return ended(err)
}

func (e *exchange) pingPong(stream testgrpc.TestService_FullDuplexCallClient) error {
	err := stream.Send(&testgrpc.StreamingOutputCallRequest{ResponseParameters: []*testgrpc.ResponseParameters{{Size: 100}}, Payload: payload(100)})
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if _, err := stream.Recv(); err != nil {
		return err
	}
	e.out.Messages++
	return nil
}

// cancelled leaves after one message.
func (e *exchange) cancelled(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := e.client.FullDuplexCall(ctx)
	if err != nil {
		return err
	}
	if err := e.pingPong(stream); err != nil {
		return err
	}
	cancel()
	_, err = stream.Recv()
	return err
}

// finish takes the metadata of a stream that has ended.
func (e *exchange) finish(stream grpc.ClientStream) {
	e.out.Header, _ = stream.Header()
	e.out.Trailer = stream.Trailer()
}

func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
