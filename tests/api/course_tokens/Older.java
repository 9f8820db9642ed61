import io.jsonwebtoken.Jwts;
import io.jsonwebtoken.SignatureAlgorithm;
import java.util.Date;

/** Signs a token as the user-service of the course's branch of 2021 does: secret, user, seconds. */
public class Older {
    public static void main(String[] args) {
        System.out.println(Jwts.builder()
                .setSubject(args[1])
                .setExpiration(new Date(System.currentTimeMillis() + 1000 * Long.parseLong(args[2])))
                .signWith(SignatureAlgorithm.HS512, args[0])
                .compact());
    }
}
